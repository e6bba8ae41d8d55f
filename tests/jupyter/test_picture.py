"""The static picture of a graph, and its text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from agentflow_dagster.graph.drawing import graph_view
from agentflow_dagster.jupyter.node_states import NodeState
from agentflow_dagster.jupyter.picture import graph_svg, graph_text
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file

if TYPE_CHECKING:
    from agentflow_dagster.graph.view import GraphView

SAMPLES = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.name.partition(".")[0] for path in SAMPLES.glob("*.agent.yaml"))
STATES = {
    "classify": NodeState("done", seconds=0.34, tokens=240, cost=0.0004),
    "route": NodeState("done", seconds=0.01, port="bug"),
    "file_bug": NodeState("failed", seconds=2.5, error="The tracker\nis away & <gone>."),
    "draft": NodeState("skipped"),
    "done": NodeState("canceled"),
}


def view_of(name: str) -> GraphView:
    agent = check_file(SAMPLES / f"{name}.agent.yaml", builtin_kinds()).agent
    assert agent is not None
    return graph_view(agent, builtin_kinds())


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_is_well_formed_and_refers_to_nothing_outside(name: str) -> None:
    view = view_of(name)
    svg = graph_svg(view)
    ET.fromstring(svg)
    assert not re.search(r"href|url\(|@import|<image|<script", svg)
    for node in view.nodes:
        assert f">{node.name[:10]}" in svg


def test_states_are_shown() -> None:
    svg = graph_svg(view_of("support_triage"), STATES)
    assert "340 ms · 240 tok · $0.0004" in svg
    assert "The tracker is away" in svg
    assert 'class="way control taken"' in svg
    assert svg.count("left") >= 2


def test_it_has_a_dark_side() -> None:
    assert "prefers-color-scheme: dark" in graph_svg(view_of("support_triage"))


def test_as_text() -> None:
    assert graph_text(view_of("support_triage"), STATES).splitlines() == [
        "support-triage: Sorts support tickets, files bugs and drafts replies.",
        "  classify [ai.classify] -> route, file_bug  done: 340 ms · 240 tok · $0.0004",
        "  route [logic.switch] -> file_bug (bug), draft (other)  done: 10 ms",
        "  file_bug [tool.http] -> done  failed: The tracker is away & <gone>.",
        "  draft [ai.chat] -> done  skipped",
        "  done [logic.merge]  canceled",
    ]
    assert "    topic\n      classify [ai.classify]" in graph_text(view_of("ticket_views"))
