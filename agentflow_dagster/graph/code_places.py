"""Where the code of steps stands in its author's notebook, so that failures name cell and line."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.spec.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class CodePlace:
    """Where the first line of a node's code stands.

    Args:
        file: The notebook, from the project's root.
        cell: The cell's number, from 1.
        line: The line in the cell, from 1.
    """

    file: str
    cell: int
    line: int

    def told(self, text: str, node: str) -> str:
        """A message or traceback with the cell's own lines in place of those of the node's code."""
        inside = re.compile(rf'<node {re.escape(node)}>("?), line (\d+)')

        def there(match: re.Match[str]) -> str:
            line = int(match[2]) + self.line - 1
            return f"{self.file}, cell {self.cell}{match[1]}, line {line}"

        return inside.sub(there, text)


def with_code_places(plan: Plan, source: Mapping[str, JsonValue]) -> Plan:
    """The plan whose steps know where their code stands; as it is where it came from no notebook.

    Args:
        plan: The agent.
        source: Where its document came from: the file, and places by JSON pointer.
    """
    file, positions = source.get("file"), source.get("positions")
    if not isinstance(file, str) or not isinstance(positions, dict):
        return plan
    places = {
        step.name: CodePlace(file, int(cast("int", at["cell"])) + 1, int(cast("int", at["line"])))
        for step in plan.steps
        for at in [cast("JsonObject", positions.get(f"/spec/nodes/{step.name}/with/code") or {})]
        if at.get("cell") is not None
    }
    if not places:
        return plan
    steps = tuple(replace(step, code_place=places.get(step.name)) for step in plan.steps)
    return replace(plan, steps=steps)
