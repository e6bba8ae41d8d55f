"""The picture of an agent: boxes, frames around bodies, edges."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agentflow_dagster.graph.drawing import graph_view
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.spec.document import Agent
from agentflow_dagster.spec.parse import parse_agent

SAMPLES = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.name.partition(".")[0] for path in SAMPLES.glob("*.agent.yaml"))


def sample(name: str) -> Agent:
    agent = check_file(SAMPLES / f"{name}.agent.yaml", builtin_kinds()).agent
    assert agent is not None
    return agent


def agent_of(nodes: dict[str, Any], layout: dict[str, Any] | None = None) -> Agent:
    document: dict[str, Any] = {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": "drawn"},
        "spec": {"nodes": nodes},
        "layout": layout or {},
    }
    agent = parse_agent(document)
    assert isinstance(agent, Agent)
    return agent


CHAT = {"kind": "ai.chat", "with": {"prompt": "Hello"}}


def test_values_and_order_are_told_apart() -> None:
    view = graph_view(sample("support_triage"), builtin_kinds())
    told = {edge.id: edge.data for edge in view.edges}
    assert told == {
        "classify.result>route": True,
        "classify.result>file_bug": True,
        "route.bug>file_bug": False,
        "route.other>draft": False,
        "file_bug.result>done": True,
        "draft.result>done": True,
    }


def test_ports_are_named_where_there_are_several() -> None:
    view = graph_view(sample("support_triage"), builtin_kinds())
    by_id = {node.id: node for node in view.nodes}
    assert by_id["route"].shown_ports == ("bug", "other")
    assert by_id["route"].port_height("bug") < by_id["route"].port_height("other")
    assert by_id["draft"].shown_ports == ()


def test_the_body_of_a_loop_stands_in_its_frame() -> None:
    view = graph_view(sample("ticket_batch"), builtin_kinds())
    by_id = {node.id: node for node in view.nodes}
    frame, inner = by_id["each"], by_id["each.classify"]
    assert frame.holds
    assert inner.parent == "each"
    assert 0 < inner.x < inner.x + inner.width < frame.width
    assert 0 < inner.y < inner.y + inner.height < frame.height
    assert view.corner(inner) == (frame.x + inner.x, frame.y + inner.y)


def test_branches_stand_below_each_other() -> None:
    view = graph_view(sample("ticket_views"), builtin_kinds())
    branches = [node for node in view.nodes if node.parent == "views"]
    assert [node.id for node in branches] == ["views.topic", "views.headline", "views.named"]
    for above, below in pairwise(branches):
        assert above.y + above.height < below.y
    assert {n.parent for n in view.nodes if n.id.startswith("views.named.")} == {"views.named"}


@pytest.mark.parametrize("name", NAMES)
def test_edges_of_the_samples_go_from_port_to_node(name: str) -> None:
    view = graph_view(sample(name), builtin_kinds())
    by_id = {node.id: node for node in view.nodes}
    for edge in view.edges:
        source, target = by_id[edge.source], by_id[edge.target]
        (x, y), (to_x, to_y) = view.corner(source), view.corner(target)
        assert edge.points[0] == (x + source.width, y + source.port_height(edge.port))
        assert edge.points[-1] == (to_x, to_y + target.height / 2)
        assert [p[0] for p in edge.points] == sorted(p[0] for p in edge.points)


def test_written_places_count() -> None:
    nodes = {"a": CHAT, "b": {**CHAT, "after": ["a"]}, "c": {**CHAT, "after": ["b"]}}
    layout = {"a": {"x": 400, "y": 50}, "b": {"x": 100, "y": 150}}
    view = graph_view(agent_of(nodes, layout), builtin_kinds())
    places = {node.id: (node.x, node.y) for node in view.nodes}
    assert places["a"] == (300, 0)
    assert places["b"] == (0, 100)
    assert places["c"][1] > 100 + view.nodes[1].height


@pytest.mark.parametrize(
    "layout", [{"a": {"x": "left"}}, {"a": [1, 2]}, {"other": {"x": 1, "y": 1}}]
)
def test_a_layout_that_says_nothing_is_passed_over(layout: dict[str, Any]) -> None:
    kinds = builtin_kinds()
    assert graph_view(agent_of({"a": CHAT}, layout), kinds) == graph_view(
        agent_of({"a": CHAT}), kinds
    )


def test_a_document_with_errors_is_drawn_as_far_as_it_goes() -> None:
    nodes = {
        "a": {"kind": "ai.guess"},
        "b": {**CHAT, "after": ["a", "nobody"]},
        "each": {"kind": "logic.loop", "with": {"body": {"nodes": 3}}},
        "c": {**CHAT, "after": ["d"]},
        "d": {**CHAT, "after": ["c"]},
    }
    view = graph_view(agent_of(nodes), builtin_kinds())
    assert [node.id for node in view.nodes if not node.sound] == ["a", "each"]
    assert {edge.id for edge in view.edges} == {"a.result>b", "c.result>d", "d.result>c"}


def test_errors_leave_by_a_port_of_their_own() -> None:
    nodes = {"a": {**CHAT, "onError": {"to": "b"}}, "b": CHAT}
    view = graph_view(agent_of(nodes), builtin_kinds())
    assert view.nodes[0].shown_ports == ("result", "error")
    (edge,) = view.edges
    assert (edge.port, edge.data) == ("error", False)
