"""What expressions see of finished steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.spec.kind import VALUED_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agentflow_dagster.ports.stores import StepOutput
    from agentflow_dagster.spec.values import Value


def node_values(nodes: Iterable[str], outputs: Mapping[str, StepOutput]) -> dict[str, Value]:
    """`{node: {output: …}}`, `{node: {error: …}}`, `{node: {rejected: …}}` or `{node: {}}`: has()
    tells them apart."""
    values: dict[str, Value] = {name: {} for name in nodes}
    for name, output in outputs.items():
        if name in values:
            field = output.port if output.port in VALUED_PORTS else "output"
            values[name] = {field: output.value}
    return values
