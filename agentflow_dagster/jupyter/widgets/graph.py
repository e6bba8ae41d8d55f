"""An agent's graph, live: nodes can be selected, and show how a run of them stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import traitlets

from agentflow_dagster.graph.drawing import graph_view
from agentflow_dagster.jupyter.node_states import states_json
from agentflow_dagster.jupyter.picture import graph_svg, graph_text
from agentflow_dagster.jupyter.widgets.base import NotebookWidget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.graph.view import GraphView
    from agentflow_dagster.jupyter.node_states import NodeStates
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue

_PAGE_WIDTH, _SMALLEST_ZOOM = 900.0, 0.55
_LEAST, _MOST = 210, 520


class GraphWidget(NotebookWidget):
    """The graph of an agent.

    Args:
        view: What is drawn.
        states: How its nodes stand, by path; `show` changes them.

    Traits:
        selected: The path of the node that is selected in the front end, or None; it can be
            observed, and set.
    """

    part: ClassVar[str] = "graph"

    graph = traitlets.Dict().tag(sync=True)
    states = traitlets.Dict().tag(sync=True)
    selected = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    height = traitlets.Int().tag(sync=True)

    def __init__(self, view: GraphView, *, states: NodeStates | None = None) -> None:
        self._view = view
        self._states: NodeStates = states or {}
        super().__init__(
            graph=view.to_json(), states=states_json(self._states), height=graph_height(view)
        )

    def show(self, states: NodeStates) -> None:
        """Shows how nodes stand; those that are not named are drawn as written."""
        self._states = states
        self.states = states_json(states)

    def as_text(self) -> str:
        return graph_text(self._view, self._states)

    def as_picture(self) -> Mapping[str, str]:
        return {"image/svg+xml": graph_svg(self._view, self._states)}


def show_graph(agent: Agent, kinds: Catalogue) -> GraphWidget:
    """The widget for an agent's document, also one that has errors.

    Args:
        agent: The document.
        kinds: Every node kind known here.
    """
    return GraphWidget(graph_view(agent, kinds))


def graph_height(view: GraphView) -> int:
    """Pixels that a graph is given in a notebook; its lower edge can be dragged."""
    zoom = min(1.0, max(_SMALLEST_ZOOM, _PAGE_WIDTH / max(view.width, 1.0)))
    return min(_MOST, max(_LEAST, round(view.height * zoom + 68)))
