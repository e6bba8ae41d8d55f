"""What expressions see of finished steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agentflow_dagster.ports.stores import StepOutput
    from agentflow_dagster.spec.values import Value


def node_values(nodes: Iterable[str], outputs: Mapping[str, StepOutput]) -> dict[str, Value]:
    """`{node: {output: …}}`, `{node: {error: …}}` or `{node: {}}`: has() tells them apart."""
    values: dict[str, Value] = {name: {} for name in nodes}
    for name, output in outputs.items():
        if name in values:
            values[name] = {"error" if output.port == "error" else "output": output.value}
    return values
