"""The graph's widget, in kernels with and without someone at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import nbformat
import pytest
from nbclient import NotebookClient

from agentflow_dagster.graph.drawing import graph_view
from agentflow_dagster.jupyter.node_states import NodeState
from agentflow_dagster.jupyter.widgets import base
from agentflow_dagster.jupyter.widgets.graph import show_graph
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file

if TYPE_CHECKING:
    from agentflow_dagster.spec.document import Agent
    from tests.jupyter.conftest import Kernel

files = cast("Any", nbformat)  # it has no types

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "notebooks" / "support_triage.agent.yaml"
SHOW = f"""\
from pathlib import Path
from agentflow_dagster.jupyter.widgets.graph import show_graph
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file
shown = show_graph(check_file(Path({str(SAMPLE)!r}), builtin_kinds()).agent, builtin_kinds())
display(shown)
"""
LIVE = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def agent() -> Agent:
    found = check_file(SAMPLE, builtin_kinds()).agent
    assert found is not None
    return found


def test_a_front_end_gets_the_live_graph_and_a_picture(kernel: Kernel) -> None:
    ran = kernel.run(SHOW)
    assert ran.error == ""
    (bundle,) = ran.shown
    assert bundle.keys() == {LIVE, "image/svg+xml", "text/plain"}
    assert bundle["text/plain"].startswith("support-triage: ")


def test_under_nbclient_it_is_a_picture() -> None:
    content = files.v4.new_notebook(cells=[files.v4.new_code_cell(SHOW)])
    NotebookClient(content, timeout=60, kernel_name="python3").execute()
    (output,) = content.cells[0].outputs
    assert output.data.keys() == {"image/svg+xml", "text/plain"}


def test_in_a_script_it_is_a_picture(agent: Agent) -> None:
    bundle, _ = show_graph(agent, builtin_kinds())._repr_mimebundle_()
    assert bundle.keys() == {"image/svg+xml", "text/plain"}


def test_without_the_bundle_it_is_a_picture_that_says_how_to_build_it(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "has_front_end", lambda: True)
    monkeypatch.setattr(base, "_bundle", lambda: ("", ""))
    bundle, _ = show_graph(agent, builtin_kinds())._repr_mimebundle_()
    assert bundle.keys() == {"image/svg+xml", "text/plain"}
    assert "make environment" in bundle["text/plain"]


def test_states_and_selection_are_traits(agent: Agent) -> None:
    widget = show_graph(agent, builtin_kinds())
    view = graph_view(agent, builtin_kinds())
    assert widget.graph == view.to_json()
    widget.show({"draft": NodeState("done", seconds=1.0)})
    assert widget.states == {"draft": NodeState("done", seconds=1.0).to_json()}
    assert "draft [ai.chat] -> done  done: 1.0 s" in widget.as_text()
    seen: list[str | None] = []
    widget.observe(lambda change: seen.append(change["new"]), "selected")
    widget.set_state({"selected": "draft"})
    assert seen == ["draft"]


def test_what_is_sent_is_what_the_front_end_reads(agent: Agent) -> None:
    types = (ROOT / "extensions" / "graph" / "src" / "types.ts").read_text()

    def fields(name: str) -> set[str]:
        body = types.partition(f"interface {name} {{")[2].partition("\n}")[0]
        lines = (line.strip() for line in body.splitlines())
        return {
            line.partition(":")[0].rstrip("?") for line in lines if not line.startswith("/")
        } - {""}

    sent: Any = graph_view(agent, builtin_kinds()).to_json()
    assert fields("GraphView") == sent.keys()
    assert fields("ViewNode") == sent["nodes"][0].keys()
    assert fields("ViewEdge") == sent["edges"][0].keys()
    assert fields("ViewPort") == sent["nodes"][0]["ports"][0].keys()
    assert fields("NodeState") == NodeState("done").to_json().keys()
