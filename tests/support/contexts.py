"""What an attempt of a node is given, for tests of node kinds alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.engine.sub_steps import SubSteps
from agentflow_dagster.errors import CodeError, ModelError, RunError
from agentflow_dagster.ports.agents import NoAgents
from agentflow_dagster.ports.code import CodeRequest, CodeResult
from agentflow_dagster.ports.journal import MemoryJournal
from agentflow_dagster.ports.kind import NodeContext
from agentflow_dagster.ports.model import Listener, ModelReply, ModelRequest, Usage
from agentflow_dagster.ports.notebooks import NoNotebooks
from agentflow_dagster.ports.waits import NoWaits
from agentflow_dagster.spec.document import LLM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.ports.agents import Agents
    from agentflow_dagster.ports.bodies import Bodies, BodyRun
    from agentflow_dagster.ports.code import CodeRunner
    from agentflow_dagster.ports.model import Model
    from agentflow_dagster.ports.notebooks import Notebooks
    from agentflow_dagster.ports.waits import Answer, Asked, StepWaits
    from agentflow_dagster.spec.values import JsonObject, JsonValue, Value

USAGE = Usage(12, 3, Decimal("0.001"), 7.0, "small/model", "small")


@dataclass
class SmallModel:
    """A model in a few lines: it keeps what it was asked, and says what it was given to say."""

    text: str = "ok"
    output: JsonValue = None
    refuses: bool = False
    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        self.requests.append(request)
        if self.refuses:
            raise ModelError("No.", model="small/model", provider="small", status=429)
        return ModelReply(self.text, self.output, USAGE)


@dataclass
class SmallRunner:
    """Runs code here and now: for what a kind asks of a runner, not for what a sandbox does."""

    requests: list[CodeRequest] = field(default_factory=list[CodeRequest])

    async def run(self, request: CodeRequest) -> CodeResult:
        self.requests.append(request)
        names: dict[str, Any] = dict(request.inputs)
        exec(f"{request.setup}\n{request.source}", names)
        if missing := [name for name in request.outputs if name not in names]:
            raise CodeError(f"{missing[0]!r} is not defined at the end.")
        return CodeResult({name: names[name] for name in request.outputs}, "printed")


class NoStepWaits:
    """Nothing is waited for."""

    async def ask(self, asked: Asked) -> None:
        await NoWaits().ask("probe", asked)

    async def answer(self, asked: Asked) -> Answer:
        return await NoWaits().answer("probe", asked)


class NoBodies:
    """The node has no body."""

    async def run(
        self, body: str, index: int | None, names: Mapping[str, Value], *, allowed: bool = False
    ) -> BodyRun:
        raise RunError(f"There is no body {body!r} here.")

    def is_external(self, body: str) -> bool:
        return False

    def evaluate(self, template: JsonValue, names: Mapping[str, Value]) -> Value:
        return cast("Value", template)


def context(
    *,
    model: Model | None = None,
    code: CodeRunner | None = None,
    llm: LLM | None = None,
    setup: str = "",
    attempt: int = 1,
    timeout: float = 5.0,
    upstream: Mapping[str, Value] | None = None,
    agents: Agents | None = None,
    bodies: Bodies | None = None,
    notebooks: Notebooks | None = None,
    waits: StepWaits | None = None,
    memory_bytes: int | None = None,
    partition: JsonObject | None = None,
    redacted: Callable[[str], str] = str,
    tell: Callable[[str], object] = str,
) -> NodeContext:
    """A context of the node `probe` in the run `run-1`."""
    return NodeContext(
        run_id="run-1",
        agent="small",
        node="probe",
        path="probe",
        attempt=attempt,
        llm=llm or LLM(),
        setup=setup,
        timeout=timeout,
        upstream=upstream or {},
        model=model or SmallModel(),
        code=code or SmallRunner(),
        agents=agents or NoAgents(),
        bodies=bodies or NoBodies(),
        notebooks=notebooks or NoNotebooks(),
        waits=waits or NoStepWaits(),
        sub_steps=SubSteps(MemoryJournal(), "probe"),
        memory_bytes=memory_bytes,
        partition=partition or {},
        redacted=redacted,
        tell=tell,
    )
