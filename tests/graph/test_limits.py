"""How large an agent may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.graph.limits import MAX_NODES
from tests.support.documents import minimal, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject


def test_one_node_too_many_is_refused_before_anything_else_is_judged() -> None:
    nodes: JsonObject = {f"n{i}": {"kind": "no.such"} for i in range(MAX_NODES + 1)}
    (found,) = problems(minimal(nodes))
    assert (found.code, found.pointer) == ("AF314", "/spec/nodes")
    assert "5,001 nodes" in found.message
