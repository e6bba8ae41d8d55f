"""`ai.agent` that is killed, cancelled, asked again or made to wait: nothing is done twice."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from agentflow_dagster.engine.graph_run import GraphRun, run_graph
from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.engine.step import Attempt, Services
from agentflow_dagster.errors import BudgetError
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.ports.journal import MemoryJournal
from agentflow_dagster.ports.waits import Answer
from tests.support.contexts import SmallRunner
from tests.support.documents import plan
from tests.support.in_memory import InMemory
from tests.support.tool_agent import Talker, agent, bench, failure, output, read, says, tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.code import CodeRequest, CodeResult
    from agentflow_dagster.ports.model import Listener, ModelReply, ModelRequest
    from agentflow_dagster.ports.stores import StepOutput
    from agentflow_dagster.ports.waits import Asked
    from agentflow_dagster.spec.values import JsonObject


class Killed:
    """Ends the run at its n-th event, as a process that dies does."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.task: asyncio.Task[Any] | None = None

    async def event(self) -> None:
        if self._left == 0:
            self._left = -1
            assert self.task is not None
            self.task.cancel()
            await asyncio.Event().wait()
        self._left -= 1


@dataclass
class MortalModel(Talker):
    """Answers by how much was said, so that it does not matter how often it was asked."""

    script: Sequence[ModelReply] = ()
    fate: Killed = field(default_factory=lambda: Killed(-1))

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        await self.fate.event()
        self.requests.append(request)
        await asyncio.sleep(0)
        return self.script[sum(m.role == "assistant" for m in request.messages)]


@dataclass
class MortalRunner(SmallRunner):
    fate: Killed = field(default_factory=lambda: Killed(-1))

    async def run(self, request: CodeRequest) -> CodeResult:
        await self.fate.event()
        return await super().run(request)


class MortalJournal(MemoryJournal):
    fate = Killed(-1)

    async def put(self, path: str, output: StepOutput) -> None:
        await super().put(path, output)
        await self.fate.event()


SCRIPT = (
    says("Two at once.", ("double", {"n": 1}), ("fail", {"n": 2})),
    says("", ("double", {"n": 3})),
    says("Done."),
)


async def run_killed(at: int) -> tuple[bool, Any, MortalModel, MortalRunner]:
    """Runs the script, killed at an event and begun again; gives whether it was killed."""
    tools: JsonObject = {"double": tool(), "fail": tool("raise ValueError('no')")}
    document = agent(tools=tools)
    fate = Killed(at)
    here = InMemory(
        model=MortalModel(script=SCRIPT, fate=fate),
        code=MortalRunner(fate=fate),
        journal=MortalJournal(),
    )
    cast("Any", here.journal).fate = fate
    fate.task = asyncio.create_task(here.run(document))
    killed = False
    try:
        done = await fate.task
    except asyncio.CancelledError:
        killed = True
        done = await here.run(document)
    return killed, done, cast("Any", here.model), cast("Any", here.code)


async def test_killed_anywhere_it_repeats_nothing_that_was_kept() -> None:
    _, plain, *_ = await run_killed(-1)
    wanted = plain.outputs["helper"].value
    assert [step.get("output") for step in wanted["steps"]] == [{"d": 2}, None, {"d": 6}]
    at = 0
    while True:
        killed, done, model, runner = await run_killed(at)
        assert not done.failures, done.failures
        assert done.outputs["helper"].value == wanted
        assert sum(u.tokens_in for u in done.usage) == 36
        assert done.outputs["helper"].facts["tokens_in"] == 36
        turns = [len(r.messages) for r in model.requests]
        assert len(turns) == len(set(turns)) == 3
        worked = [r.inputs["n"] for r in runner.requests]
        # The one that fails is not kept until it has failed, and may be asked twice.
        assert worked.count(1) == worked.count(3) == 1
        if not killed:
            break
        at += 1
    assert at > 12


async def test_calls_of_one_turn_are_made_at_the_same_time() -> None:
    both = asyncio.Barrier(2)

    class Runner(SmallRunner):
        async def run(self, request: CodeRequest) -> CodeResult:
            await asyncio.wait_for(both.wait(), 20)
            return await super().run(request)

    replies = deque([says("", ("double", {"n": 1}), ("double", {"n": 2})), says("ok")])
    here = InMemory(model=Talker(replies=replies), code=Runner())
    done = await output(here, agent())
    assert [step["output"]["d"] for step in done["steps"]] == [2, 4]


async def test_a_cancelled_run_leaves_nothing_at_work() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    class Runner(SmallRunner):
        async def run(self, request: CodeRequest) -> CodeResult:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            raise AssertionError

    here = InMemory(model=Talker(replies=deque([says("", ("double", {"n": 1}))])), code=Runner())
    task = asyncio.create_task(here.run(agent()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_conversation_about_something_else_does_not_go_on() -> None:
    here = bench(says("", ("double", {"n": 1})), says("ok"))
    await here.run(agent(maxSteps=1))
    told = await failure(here, agent(maxSteps=1, prompt="Something else?"))
    assert "does not fit" in str(told)


async def test_nothing_is_traced_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import langsmith
    from langchain_core.tracers import LangChainTracer

    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", "key")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something is sent")

    for owner, name in (
        (langsmith.Client, "create_run"),
        (langsmith.Client, "update_run"),
        (LangChainTracer, "__init__"),
    ):
        monkeypatch.setattr(owner, name, refuse)
    langsmith.utils.get_env_var.cache_clear()
    here = bench(says("", ("double", {"n": 4})), says("8"))
    assert (await output(here, agent()))["text"] == "8"
    langsmith.utils.get_env_var.cache_clear()
    monkeypatch.setenv("LANGCHAIN_TRACING", "true")
    assert "LANGCHAIN_TRACING is set" in str(await failure(bench(), agent()))


async def test_a_budget_that_is_spent_is_not_told_but_ends_it() -> None:
    from decimal import Decimal

    class Runner(SmallRunner):
        async def run(self, request: CodeRequest) -> CodeResult:
            raise BudgetError("spent", budget="run", limit_usd=Decimal(1), left_usd=Decimal(0))

    replies = deque([says("", ("double", {"n": 1}))])
    here = InMemory(model=Talker(replies=replies), code=Runner())
    assert isinstance(await failure(here, agent()), BudgetError)


@dataclass
class Person:
    """Answers what is asked of it as it was given to; where it has nothing to say, it waits."""

    words: dict[int, Answer] = field(default_factory=dict[int, Answer])
    asked: list[Asked] = field(default_factory=list["Asked"])
    waits: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, path: str, asked: Asked) -> None:
        self.asked.append(asked)

    async def answer(self, path: str, asked: Asked) -> Answer:
        self.asked.append(asked)
        call = cast("Any", asked.subject)["show"]["call"]
        if call not in self.words:
            self.waits.set()
            await asyncio.Event().wait()
        return self.words[call]


def word(*, approved: bool, note: str = "") -> Answer:
    return Answer(datetime(2027, 1, 1, tzinfo=UTC), {"approved": approved}, "mara", note)


POST: JsonObject = {
    "description": "Posts it.",
    "nodes": {
        "post": {"kind": "agent.run", "timeout": "5s", "with": {"agent": "poster", "input": {}}}
    },
    "outputs": {"done": True},
}


class TestConsent:
    """Tools that change something outside, here by another agent, which is mocked."""

    async def run(self, here: InMemory, person: Person, **config: Any) -> GraphRun:
        from agentflow_dagster.engine.stand_ins import StandIn

        made = plan(agent(tools={"post": POST, "double": tool()}, **config))
        services = Services(
            kinds=builtin_kinds(),
            model=here.model,
            code=here.code,
            secrets=EnvironmentSecrets({}),
            stand_ins={"helper.post.post": StandIn({})},
        )
        begin = Attempt.first(made, {}, run_id="run-1", journal=here.journal)
        begin = replace(begin, waits=person)
        return await run_graph(made, made.steps, begin, services)

    async def test_is_asked_once_what_comes_from_outside_was_read(self) -> None:
        person = Person({2: word(approved=True), 3: word(approved=False, note="enough")})
        here = bench(
            says("", ("post", {})),
            says("", ("double", {"n": 1}), ("post", {})),
            says("", ("post", {})),
            says("ok"),
        )
        done = await self.run(here, person, approve="tainted", people=["mara"], deadline="1h")
        assert not done.failures, done.failures
        steps = cast("Any", done.outputs["helper"].value)["steps"]
        assert ["error" in step for step in steps] == [False, False, False, True]
        assert read(here, 3)[-1][1] == (
            "A person has refused this call, so it was not made. They wrote: enough"
        )
        assert [cast("Any", a.subject)["show"] for a in person.asked] == [
            {"tool": "post", "arguments": {}, "call": 2},
            {"tool": "post", "arguments": {}, "call": 3},
        ]
        terms = {(a.kind, a.due, a.people) for a in person.asked}
        assert terms == {("approval", 3600.0, ("mara",))}

    async def test_an_answer_counts_for_its_call_and_is_kept(self) -> None:
        person = Person({0: word(approved=True)})
        both = says("", ("post", {}), ("post", {}))
        here = bench(both, says("ok"))
        waiting = asyncio.create_task(self.run(here, person, approve="always"))
        await person.waits.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        person.words[1] = Answer(datetime(2027, 1, 1, tzinfo=UTC))
        done = await self.run(here, person, approve="always")
        assert [cast("Any", a.subject)["show"]["call"] for a in person.asked] == [0, 1, 1]
        assert len(here.model.requests) == 2
        steps = cast("Any", done.outputs["helper"].value)["steps"]
        assert steps[1]["error"].startswith("Nobody has allowed this call in time")

    async def test_nobody_is_asked_for_what_stays_inside(self) -> None:
        person = Person()
        here = bench(says("", ("double", {"n": 1})), says("ok"))
        assert not (await self.run(here, person, approve="always")).failures
        assert not person.asked
