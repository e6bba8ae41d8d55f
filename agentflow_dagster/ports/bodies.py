"""The graphs inside a node, as its kind runs them: a loop's body, a branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.model import Usage
    from agentflow_dagster.spec.values import JsonValue, Value


@dataclass(frozen=True, slots=True)
class BodyRun:
    """One finished run of a body.

    Args:
        outputs: What it gives.
        nodes: What expressions see of its nodes.
        usage: One entry per model call.
        runs: Ids of other runs that its steps started.
    """

    outputs: dict[str, Value]
    nodes: Mapping[str, Value]
    usage: tuple[Usage, ...]
    runs: tuple[str, ...] = ()


class Bodies(Protocol):
    """Runs the bodies of one step, and evaluates what its config says around them."""

    async def run(
        self, body: str, index: int | None, names: Mapping[str, Value], *, allowed: bool = False
    ) -> BodyRun:
        """Runs a body once; steps of it that an earlier attempt finished are not run again.

        Args:
            body: Its name.
            index: Which run of the node's bodies this is; None where each has only one.
            names: What its expressions know beside what the node knows.
            allowed: Whether a person has seen the names and allowed what they lead to.

        Raises:
            RunError: one of its steps failed for good.
        """
        ...

    def is_external(self, body: str) -> bool:
        """Whether anything in a body changes something outside."""
        ...

    def evaluate(self, template: JsonValue, names: Mapping[str, Value]) -> Value:
        """Fills in the expressions of a config field that is evaluated around the bodies.

        Raises:
            RunError: an expression cannot be evaluated.
        """
        ...
