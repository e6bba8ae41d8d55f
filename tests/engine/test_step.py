"""One attempt of a step: filled in, held to its time, and telling no secret."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import pytest
from pydantic import Field

from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.engine.step import Attempt, Services, StepResult, Surroundings, run_attempt
from agentflow_dagster.errors import AgentFlowError, CodeError, ModelError, RunError, StepTimeout
from agentflow_dagster.graph.check import check_agent
from agentflow_dagster.ports.journal import MemoryJournal
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.model import Usage
from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.values import pack, unpack
from tests.support.documents import agent, minimal

if TYPE_CHECKING:
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, Value

SECRET = "hunter22-hunter22"
Work = Callable[[NodeContext, "ProbeConfig"], Awaitable[NodeResult]]


class ProbeConfig(KindConfig):
    text: str = ""
    max_count: int = Field(0, le=10)
    anything: Any = None
    from_: tuple[str, ...] = Field((), alias="from")


class Probe(Kind[ProbeConfig]):
    """A kind that does what a test gives it to do."""

    name = "test.probe"
    summary = "Does what a test says."
    config = ProbeConfig

    def __init__(self, work: Work) -> None:
        self._work = work

    def reads(self, config: RawConfig) -> tuple[str, ...]:
        return tuple(cast("list[str]", config.get("from", [])))

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        known = {"score": {"type": "number"}}
        return {"type": "object", "properties": known, "additionalProperties": True}

    async def run(self, context: NodeContext, config: ProbeConfig) -> NodeResult:
        return await self._work(context, config)


@dataclass
class Bench:
    """Runs the node `probe` of a small agent."""

    work: Work
    config: JsonObject = field(default_factory=dict[str, Any])
    node: JsonObject = field(default_factory=dict[str, Any])
    secrets: Mapping[str, str] = field(default_factory=lambda: {"TOKEN": SECRET})
    environment: Mapping[str, str] = field(default_factory=lambda: {"HOST": "http://h"})
    outputs: Mapping[str, StepOutput] = field(default_factory=dict[str, StepOutput])
    input: JsonObject = field(default_factory=lambda: {"body": "hi", "price": 2.0})
    timeout: str = "5s"

    @property
    def kinds(self) -> dict[str, Kind[KindConfig]]:
        return {"test.probe": cast("Kind[KindConfig]", Probe(self.work))}

    def plan(self) -> Plan:
        other: JsonObject = {"kind": "test.probe", "onError": {"to": "aside"}}
        spec: JsonObject = {
            "inputs": {"properties": {"body": {"type": "string"}, "price": {"type": "number"}}},
            "secrets": ["TOKEN", "UNSET"],
            "env": ["HOST", "NOWHERE"],
            "defaults": {"llm": {"model": "m"}, "code": {"setup": "import math"}},
        }
        nodes: JsonObject = {
            "before": other,
            "aside": {"kind": "test.probe"},
            "probe": {
                "kind": "test.probe", "timeout": self.timeout, "with": self.config, **self.node,
            },
        }  # fmt: skip
        verdict = check_agent(agent(minimal(nodes, **spec)), self.kinds)
        assert verdict.plan is not None, verdict.diagnostics
        return verdict.plan

    async def run(self, *, number: int = 1) -> StepResult:
        plan = self.plan()
        nobody = cast("Any", None)
        secrets = EnvironmentSecrets(self.secrets)
        services = Services(self.kinds, nobody, nobody, secrets, environment=self.environment)
        around = Surroundings("", tuple(plan.agent.spec.nodes), {}, MemoryJournal())
        attempt = Attempt("run-1", number, self.input, self.outputs, around)
        return await run_attempt(plan, plan.step("probe"), attempt, services)

    async def failure(self) -> RunError:
        with pytest.raises(RunError) as caught:
            await self.run()
        return caught.value


def giving(output: object, **fields: Any) -> Work:
    async def work(_context: NodeContext, _config: ProbeConfig) -> NodeResult:
        return NodeResult(cast("Value", output), **fields)

    return work


def raising(error: BaseException) -> Work:
    async def work(_context: NodeContext, _config: ProbeConfig) -> NodeResult:
        raise error

    return work


async def echo(_context: NodeContext, config: ProbeConfig) -> NodeResult:
    return NodeResult({"text": config.text, "anything": config.anything})


def output(done: StepResult) -> Value:
    assert done.result is not None
    return done.result.output


class TestFillingIn:
    async def test_expressions_are_filled_in_with_their_types(self) -> None:
        config: JsonObject = {
            "text": "{{input.body}} at {{env.HOST}} in {{run.id}} of {{run.agent}}",
            "anything": {"price": "{{input.price}}", "list": ["{{1 + 1}}"], "plain": "x"},
        }
        assert output(await Bench(echo, config).run()) == {
            "text": "hi at http://h in run-1 of small",
            "anything": {"price": 2.0, "list": [2], "plain": "x"},
        }

    async def test_outputs_and_errors_of_other_steps(self) -> None:
        config: JsonObject = {"anything": "{{has(before.error) ? before.error.message : 'fine'}}"}
        done = await Bench(echo, config).run()
        assert cast("JsonObject", output(done))["anything"] == "fine"
        failed = {"before": StepOutput("error", {"message": "it broke", "type": "RunError"})}
        done = await Bench(echo, config, outputs=failed).run()
        assert cast("JsonObject", output(done))["anything"] == "it broke"

    async def test_a_table_is_handed_over_whole(self) -> None:
        frame = pd.DataFrame({"n": [1, 2]})
        before = {"before": StepOutput("result", {"frame": pack(frame)})}
        config: JsonObject = {"anything": "{{before.output.frame}}"}
        done = await Bench(echo, config, outputs=before).run()
        found = unpack(cast("dict[str, Value]", output(done))["anything"])
        assert isinstance(found, pd.DataFrame)
        assert found["n"].tolist() == [1, 2]

    async def test_the_context(self) -> None:
        seen: list[NodeContext] = []

        async def work(context: NodeContext, _config: ProbeConfig) -> NodeResult:
            seen.append(context)
            return NodeResult()

        for number in (1, 2):
            await Bench(work).run(number=number)
        first, second = seen
        assert (first.run_id, first.agent, first.node) == ("run-1", "small", "probe")
        assert (first.attempt, second.attempt) == (1, 2)
        assert first.idempotency_key == second.idempotency_key == "run-1-probe"
        assert (first.llm.model, first.setup, first.timeout) == ("m", "import math", 5.0)

    async def test_what_a_kind_reads_by_name_comes_from_steps_that_gave_a_value(self) -> None:
        seen: list[Mapping[str, Value]] = []

        async def work(context: NodeContext, _config: ProbeConfig) -> NodeResult:
            seen.append(context.upstream)
            return NodeResult()

        node: JsonObject = {"join": "any"}
        config: JsonObject = {"from": ["before", "aside"]}
        two = StepOutput("result", 2)
        for outputs, expected in [
            ({}, {}),
            ({"before": StepOutput("result", 1), "aside": two}, {"before": 1, "aside": 2}),
            ({"before": StepOutput("error", {}), "aside": two}, {"aside": 2}),
        ]:
            await Bench(work, config, node, outputs=outputs).run()
            assert seen.pop() == expected

    @pytest.mark.parametrize(("body", "runs"), [("go", True), ("stay", False)])
    async def test_a_false_condition_skips(self, body: str, runs: bool) -> None:
        bench = Bench(giving(1), node={"when": "{{input.body == 'go'}}"}, input={"body": body})
        done = await bench.run()
        assert (done.result is not None) is runs

    async def test_numbers_are_of_the_type_that_expressions_were_checked_with(self) -> None:
        found = output(await Bench(giving({"score": 1, "count": 1})).run())
        assert repr(found) == "{'score': 1.0, 'count': 1}"

    async def test_figures_add_up(self) -> None:
        usage = (
            Usage(10, 2, Decimal("0.01"), 5.0, "m1", "p"),
            Usage(5, 1, Decimal("0.02"), 5.0, "m2", "p"),
        )
        figures = (await Bench(giving(1, usage=usage)).run()).figures
        assert (figures["tokens_in"], figures["tokens_out"]) == (15, 3)
        assert figures["cost_usd"] == pytest.approx(0.03)
        assert (figures["model"], figures["provider"]) == ("m1, m2", "p")
        unknown = (Usage(1, 1, None, 1.0, "m", "p"),)
        assert "cost_usd" not in (await Bench(giving(1, usage=unknown)).run()).figures


class TestTime:
    async def test_a_step_ends_at_its_limit(self) -> None:
        ended = asyncio.Event()

        async def work(_context: NodeContext, _config: ProbeConfig) -> NodeResult:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return NodeResult()

        failure = await Bench(work, timeout="10ms").failure()
        assert isinstance(failure, StepTimeout)
        assert failure.message == "'probe' was still at work after 0.01 s."
        assert failure.retryable
        assert ended.is_set()

    async def test_a_timeout_of_the_kinds_own_is_told_as_what_it_is(self) -> None:
        failure = await Bench(raising(TimeoutError("the peer is gone"))).failure()
        assert not isinstance(failure, StepTimeout)
        assert failure.message == "'probe' failed: TimeoutError: the peer is gone"

    async def test_a_cancelled_attempt_is_cancelled(self) -> None:
        begun = asyncio.Event()

        async def work(_context: NodeContext, _config: ProbeConfig) -> NodeResult:
            begun.set()
            await asyncio.Event().wait()
            return NodeResult()

        task = asyncio.create_task(Bench(work).run())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class TestFailures:
    async def test_whatever_a_kind_raises_may_be_tried_again(self) -> None:
        failure = await Bench(raising(KeyError("x"))).failure()
        assert failure.message == "'probe' failed: KeyError: 'x'"
        assert failure.retryable
        assert "in work" in failure.traceback

    async def test_a_run_error_keeps_its_fields(self) -> None:
        told = RunError("No.", hint="Do it.", retryable=False)
        failure = await Bench(raising(told)).failure()
        assert failure is told
        assert (str(failure), failure.retryable) == ("No. Do it.", False)
        model = ModelError("429", model="m", provider="p", status=429)
        failure = await Bench(raising(model)).failure()
        assert isinstance(failure, ModelError)
        assert failure.status == 429

    async def test_other_errors_of_ours_become_run_errors(self) -> None:
        failure = await Bench(raising(AgentFlowError("Store is shut.", hint="Open it."))).failure()
        assert str(failure) == "Store is shut. Open it."

    async def test_a_value_that_does_not_fit_the_config_is_not_tried_again(self) -> None:
        config: JsonObject = {"maxCount": "{{before.output.n}}", "text": "x"}
        before = {"before": StepOutput("result", {"n": 99})}
        failure = await Bench(echo, config, outputs=before).failure()
        assert failure.message == (
            "The config of 'probe' does not fit: "
            "maxCount: Input should be less than or equal to 10."
        )
        assert not failure.retryable

    async def test_an_expression_that_fails_is_not_tried_again(self) -> None:
        failure = await Bench(echo, {"anything": "{{before.output.x}}"}).failure()
        assert "there is no 'output'" in failure.message
        assert not failure.retryable

    @pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, (1, 2)], ids=["any", "set", "pair"])
    async def test_a_value_that_cannot_be_stored(self, value: object) -> None:
        failure = await Bench(giving(value)).failure()
        assert "cannot pass from one step to the next" in failure.message
        assert not failure.retryable

    async def test_values_of_libraries_are_stored_as_their_plain_form(self) -> None:
        found = output(await Bench(giving({"n": np.int64(3), "b": b"ab"})).run())
        assert unpack(found) == {"n": 3, "b": b"ab"}

    @pytest.mark.parametrize("root", ["env", "secret"])
    async def test_what_is_not_set_is_named_before_anything_runs(self, root: str) -> None:
        name = {"env": "NOWHERE", "secret": "UNSET"}[root]
        failure = await Bench(
            raising(AssertionError()), {"text": f"a {{{{{root}.{name}}}}}"}
        ).failure()
        assert failure.message == f"{root}.{name}, which 'probe' reads, is not set."
        assert failure.hint == f"Set the environment variable {name} where the agent runs."
        assert not failure.retryable

    async def test_a_guard_is_for_the_name_that_it_tests(self) -> None:
        guarded = "{{has(env.NOWHERE) ? env.NOWHERE : 'none'}}"
        done = await Bench(echo, {"text": guarded}).run()
        assert cast("JsonObject", output(done))["text"] == "none"
        failure = await Bench(
            echo, {"text": guarded}, environment={}, node={"when": "{{env.HOST == 'x'}}"}
        ).failure()
        assert failure.message.startswith("env.HOST, ")


class TestSecrets:
    async def test_a_secret_is_filled_in_and_masked_in_what_is_kept(self) -> None:
        seen: list[str] = []

        async def work(_context: NodeContext, config: ProbeConfig) -> NodeResult:
            seen.append(config.text)
            return NodeResult({"echo": [config.text], SECRET: 1}, log=f"sent {config.text}")

        done = await Bench(work, {"text": "Bearer {{secret.TOKEN}}"}).run()
        assert seen == [f"Bearer {SECRET}"]
        assert done.result is not None
        assert done.result.output == {"echo": ["Bearer ***"], "***": 1}
        assert done.result.log == "sent Bearer ***"

    @pytest.mark.parametrize(
        "error",
        [
            RunError(f"no {SECRET}", hint=f"not {SECRET}", traceback=f"at {SECRET}"),
            CodeError(f"no {SECRET}", traceback=f"at {SECRET}", stdout=f"out {SECRET}"),
            AgentFlowError(f"no {SECRET}", hint=f"not {SECRET}"),
            ValueError(f"no {SECRET}"),
            KeyError(SECRET),
        ],
        ids=lambda error: type(error).__name__,
    )
    async def test_no_secret_is_in_an_error(self, error: Exception) -> None:
        error.add_note(f"noted {SECRET}")
        error.__cause__ = ValueError(f"caused by {SECRET}")
        failure = await Bench(raising(error)).failure()
        told = [
            str(failure), failure.message, failure.hint, failure.traceback, repr(failure.args),
            getattr(failure, "stdout", ""), "".join(traceback.format_exception(failure)),
            repr(failure.__cause__), repr(failure.__context__),
        ]  # fmt: skip
        assert SECRET not in "\n".join(told)
        assert "***" in failure.message

    async def test_a_secret_that_does_not_fit_is_not_shown_in_part(self) -> None:
        """Pydantic shortens the values that it shows, and a part is not recognized."""
        secret = "".join(f"part{n:03}" for n in range(50))
        config: JsonObject = {"maxCount": "{{dyn(before.output.prefix + secret.TOKEN)}}"}
        before = {"before": StepOutput("result", {"prefix": "Bearer "})}
        failure = await Bench(echo, config, outputs=before, secrets={"TOKEN": secret}).failure()
        assert "maxCount: Input should be a valid integer" in failure.message
        assert "part0" not in "".join(traceback.format_exception(failure)) + failure.traceback

    async def test_a_short_secret_is_refused(self) -> None:
        failure = await Bench(echo, secrets={"TOKEN": "12345"}).failure()
        assert failure.message == "The secret 'TOKEN' has fewer than 6 characters."
        assert not failure.retryable

    async def test_an_empty_secret_is_none(self) -> None:
        config: JsonObject = {"text": "{{has(secret.TOKEN) ? 'yes' : 'no'}}"}
        done = await Bench(echo, config, secrets={"TOKEN": ""}).run()
        assert cast("JsonObject", output(done))["text"] == "no"

    async def test_only_declared_secrets_are_looked_up(self) -> None:
        asked: list[str] = []

        class Ledger(dict[str, str]):
            def get(self, key: str, default: Any = None) -> Any:
                asked.append(key)
                return default

        await Bench(echo, secrets=Ledger()).run()
        assert asked == ["TOKEN", "UNSET"]

    async def test_a_secret_store_that_fails_fails_the_step(self) -> None:
        class Broken(dict[str, str]):
            def get(self, key: str, default: Any = None) -> Any:
                raise OSError("vault is sealed")

        failure = await Bench(echo, secrets=Broken()).failure()
        assert failure.message == "'probe' failed: OSError: vault is sealed"
