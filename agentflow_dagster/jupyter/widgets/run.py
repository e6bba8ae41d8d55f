"""A run while it happens: its graph, what was said, its figures, its outputs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

import traitlets

from agentflow_dagster.jupyter.background import Background
from agentflow_dagster.jupyter.node_states import cost, duration, states_json
from agentflow_dagster.jupyter.picture import graph_svg, graph_text
from agentflow_dagster.jupyter.run_progress import RunProgress
from agentflow_dagster.jupyter.widgets.base import JsonList, NotebookWidget
from agentflow_dagster.jupyter.widgets.graph import graph_height

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from agentflow_dagster.graph.view import GraphView
    from agentflow_dagster.jupyter.services import Begun, Outcome
    from agentflow_dagster.ports.live_events import LiveEvent, ModelSaid, RunEnd

    Follow = Callable[[str, Callable[[LiveEvent | ModelSaid], None]], Awaitable[RunEnd]]

_SHOWN_EVERY = 0.1
"""Seconds: changes that come closer together are shown at once."""


class RunView(NotebookWidget):
    """Follows one run after another; the last stays to be seen.

    Args:
        view: The agent's graph.
        follow: Tells every change of a run, and ends when the run does.
    """

    part: ClassVar[str] = "run"

    graph = traitlets.Dict().tag(sync=True)
    states = traitlets.Dict().tag(sync=True)
    selected = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    height = traitlets.Int().tag(sync=True)
    run = traitlets.Dict().tag(sync=True)
    lines = JsonList().tag(sync=True)
    said = JsonList().tag(sync=True)
    outputs = traitlets.Dict().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)

    def __init__(self, view: GraphView, follow: Follow) -> None:
        self._view = view
        self._follow = follow
        self._paths = tuple(node.id for node in view.nodes if node.parent is None)
        self._progress = RunProgress()
        self._begun: Begun | None = None
        self._background = Background("agentflow-run-view", self._failed)
        super().__init__(graph=view.to_json(), height=graph_height(view))

    @property
    def progress(self) -> RunProgress:
        """How far the run is."""
        return self._progress

    def watch(self, begun: Begun) -> None:
        """Shows a run from its beginning, in place of the one before."""
        self._background.stop()
        self._background.wait()
        self._begun = begun
        self._progress = RunProgress.of(self._paths)
        self.outputs, self.error = {}, ""
        self._show()
        self._background.begin(lambda: self._watching(begun.run_id))

    def tell(self, event: LiveEvent | ModelSaid) -> None:
        """Takes in a change; it is seen a moment later."""
        self._progress = self._progress.after(event)

    def finish(self, outcome: Outcome) -> None:
        """Shows what a run has put out."""
        self.outputs, self.error = dict(outcome.outputs), outcome.error

    def wait(self, seconds: float | None = None) -> None:
        """Waits until the run that is watched has ended, for so many seconds at most."""
        self._background.wait(seconds)

    def close(self) -> None:
        """Stops watching; the run goes on."""
        self._background.stop()
        super().close()

    async def _watching(self, run_id: str) -> None:
        shown = self._progress
        following = asyncio.ensure_future(self._follow(run_id, self.tell))
        try:
            while not following.done():
                await asyncio.wait([following], timeout=_SHOWN_EVERY)
                if self._progress is not shown:
                    shown = self._progress
                    self._show()
            await following
        finally:
            following.cancel()

    def _show(self) -> None:
        progress, begun = self._progress, self._begun
        assert begun is not None
        took = None
        if progress.began is not None and progress.ended is not None:
            took = max(0.0, progress.ended - progress.began)
        with self.hold_sync():
            self.states = states_json(progress.nodes)
            self.lines = [line.to_json() for line in progress.lines]
            self.said = [{"path": path, "text": text} for path, text in progress.said.items()]
            self.run = {
                "id": begun.run_id,
                "url": begun.url,
                "state": progress.state or "asked for",
                "since": progress.began if took is None else None,
                "seconds": took,
                "tokens": progress.tokens,
                "cost": progress.cost,
            }

    def _failed(self, problem: Exception) -> None:
        self.error = str(problem)

    def as_text(self) -> str:
        if self._begun is None:
            return graph_text(self._view)
        progress = self._progress
        return "\n".join(
            [
                f"Run {self._begun.run_id}: {self._summary()}",
                *([self._begun.url] if self._begun.url else []),
                graph_text(self._view, progress.nodes),
                *(f"{path}: {text}" for path, text in progress.said.items()),
                *([f"error: {self.error}"] if self.error else []),
            ]
        )

    def as_picture(self) -> Mapping[str, str]:
        return {"image/svg+xml": graph_svg(self._view, self._progress.nodes)}

    def _summary(self) -> str:
        progress = self._progress
        said: list[str] = [progress.state or "asked for"]
        if progress.began is not None and progress.ended is not None:
            said.append(duration(max(0.0, progress.ended - progress.began)))
        return " · ".join([*said, f"{progress.tokens:,} tok", cost(progress.cost)])
