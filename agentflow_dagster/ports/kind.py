"""A node kind: what `spec.kind` says of it, and the work itself."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from agentflow_dagster.spec.kind import ConfigT, KindSignature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from agentflow_dagster.ports.agents import Agents
    from agentflow_dagster.ports.bodies import Bodies
    from agentflow_dagster.ports.code import CodeRunner
    from agentflow_dagster.ports.model import Model, Usage
    from agentflow_dagster.ports.notebooks import Notebooks
    from agentflow_dagster.ports.sub_steps import SubSteps
    from agentflow_dagster.ports.waits import StepWaits
    from agentflow_dagster.spec.checks import CheckResult
    from agentflow_dagster.spec.document import LLM
    from agentflow_dagster.spec.values import JsonObject, Value


@dataclass(frozen=True, slots=True)
class NodeContext:
    """What one attempt of a node is given beside its config.

    Args:
        run_id, agent, node: Whose step it is.
        path: The node's name with the bodies that it stands in: `each[3].draft`.
        attempt: 1 for the first.
        llm: Model settings that hold for the node.
        setup: Python shared by the agent's code nodes.
        timeout: Seconds that the attempt may take; the engine enforces it.
        upstream: Outputs of the nodes that `reads` names and that ran, in the config's order.
        model: Answers `ai.*` nodes.
        code: Runs authors' code.
        memory_bytes: Most memory that the node's `resources` allow; None leaves it to the kind.
        data: The folder whose files nodes may read; None where there is none.
        agents: Runs other agents.
        bodies: Runs the graphs inside the node.
        notebooks: Runs notebooks.
        waits: Waits for times, people and calls.
        sub_steps: Keeps what the node has done, so that another attempt does not do it again.
        callback_token: What others show who call back; "" for kinds that are not `called_back`.
        partition: What expressions see as `run` of the run's partition; empty where it is of none.
        redacted: Takes secrets out of a text that the kind keeps somewhere itself.
        shown: Takes out what the project's rules name, too, for a text that people look at.
        tell: Is told how far the work is, a line at a time, in the event loop's thread.
    """

    run_id: str
    agent: str
    node: str
    path: str
    attempt: int
    llm: LLM
    setup: str
    timeout: float
    upstream: Mapping[str, Value]
    model: Model
    code: CodeRunner
    agents: Agents
    bodies: Bodies
    notebooks: Notebooks
    waits: StepWaits
    sub_steps: SubSteps
    callback_token: str = field(default="", repr=False)
    memory_bytes: int | None = None
    data: Path | None = None
    partition: JsonObject = field(default_factory=lambda: {})  # noqa: PIE807 - dict has no type
    redacted: Callable[[str], str] = field(default=str, repr=False)
    shown: Callable[[str], str] = field(default=str, repr=False)
    tell: Callable[[str], object] = field(default=str, repr=False)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this step, so that a receiver can tell repeats."""
        return f"{self.run_id}-{self.path}"


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What an attempt gave.

    Args:
        output: The node's value; None where it only chooses a way.
        port: The port that it leaves by.
        usage: One entry per model call.
        log: What a person may want to read: printed text of code.
        checks: How the checks came out that the kind's `checks` declares.
        runs: Ids of other runs that it started.
        notebook: The path of a notebook that shows what it did; "" for none.
    """

    output: Value = None
    port: str = "result"
    usage: tuple[Usage, ...] = field(default=())
    log: str = ""
    checks: tuple[CheckResult, ...] = ()
    runs: tuple[str, ...] = ()
    notebook: str = ""


class Kind(KindSignature[ConfigT], Generic[ConfigT]):
    """A node kind that can run. One file each, in `nodes/` or in a plugin."""

    @abstractmethod
    async def run(self, context: NodeContext, config: ConfigT) -> NodeResult:
        """Does the work of one attempt; cancelling the awaiting task must stop it.

        Raises:
            RunError: it could not; `retryable` says whether another attempt may.
        """
