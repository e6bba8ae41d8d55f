"""Form, run and both together, with runs that a test tells of."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph.drawing import graph_view
from agentflow_dagster.jupyter.services import Begun, Outcome
from agentflow_dagster.jupyter.widgets.form import RunForm
from agentflow_dagster.jupyter.widgets.panel import RunPanel
from agentflow_dagster.jupyter.widgets.run import RunView
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.ports.live_events import (
    EventId,
    LiveEvent,
    ModelSaid,
    RunChanged,
    StepChanged,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.graph.view import GraphView
    from agentflow_dagster.ports.live_events import RunEnd
    from agentflow_dagster.spec.values import JsonObject

SAMPLE = Path(__file__).parents[3] / "notebooks" / "support_triage.agent.yaml"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["body"],
    "properties": {"body": {"type": "string"}, "count": {"type": "integer", "default": 1}},
}
BEGUN = Begun("r-1", "http://127.0.0.1:3000/runs/r-1")


@pytest.fixture(scope="module")
def view() -> GraphView:
    agent = check_file(SAMPLE, builtin_kinds()).agent
    assert agent is not None
    return graph_view(agent, builtin_kinds())


class ToldRuns:
    """Runs that go on until the test lets them end, or cancels them."""

    def __init__(self) -> None:
        self.given: list[JsonObject] = []
        self.end: RunEnd = "succeeded"
        self.let_end = threading.Event()
        self.left = threading.Event()
        self.refuses = ""

    def run(
        self, input_: JsonObject, *, begun: Callable[[Begun], None], progress: Callable[[str], None]
    ) -> Outcome:
        progress("Starting PostgreSQL")
        if self.refuses:
            raise RunError(self.refuses)
        self.given.append(input_)
        begun(BEGUN)
        assert self.let_end.wait(60)
        return Outcome(self.end, {"label": "bug"}, "" if self.end == "succeeded" else "It failed.")

    async def follow(self, run_id: str, tell: Callable[[LiveEvent | ModelSaid], None]) -> RunEnd:
        try:
            tell(RunChanged(EventId(1), 10, run_id, "a", "started"))
            tell(StepChanged(EventId(2), 11, run_id, "a", "classify", "started"))
            tell(ModelSaid(run_id, "classify", "It seems to be"))
            await self._end()
            tell(StepChanged(EventId(3), 12, run_id, "a", "classify", "succeeded", latency_ms=9.0))
            tell(RunChanged(EventId(4), 13, run_id, "a", self.end))
        finally:
            self.left.set()
        return self.end

    async def _end(self) -> None:
        """Waits for it as one does who can be canceled: not in a thread that cannot."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def watch() -> None:
            if self.let_end.wait(60):
                with suppress(RuntimeError):  # whoever waited has left
                    loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=watch, daemon=True).start()
        await ended.wait()

    def cancel(self, run_id: str) -> None:
        assert run_id == BEGUN.run_id
        self.end = "canceled"
        self.let_end.set()


def panel_of(view: GraphView, runs: ToldRuns) -> RunPanel:
    return RunPanel("support-triage", SCHEMA, view, runs)


def press(widget: Any, **content: Any) -> None:
    """What the front end sends when somebody presses a button."""
    widget._handle_custom_msg(content, [])


def state_of(view: RunView) -> object:
    """How the first node stands, as the front end is told."""
    states: Any = view.states
    return states.get("classify", {}).get("state")


def test_problems_stand_in_the_form_and_nothing_runs() -> None:
    given: list[JsonObject] = []
    form = RunForm("a", SCHEMA, run=given.append, cancel=lambda: None)
    press(form, do="run", typed={"body": "", "count": "x"})
    assert form.problems == {"body": "This has to be filled in.", "count": "'x' is not a number."}
    assert given == []
    press(form, do="run", typed={"body": "Hello"})
    assert form.problems == {}
    assert given == [{"body": "Hello", "count": 1}]


def test_a_run_from_the_form_to_its_outputs(view: GraphView) -> None:
    runs = ToldRuns()
    panel = panel_of(view, runs)
    press(panel.form, do="run", typed={"body": "Hello"})
    wait_until(lambda: state_of(panel.view) == "running")
    wait_until(lambda: panel.view.said == [{"path": "classify", "text": "It seems to be"}])
    assert "classify: It seems to be" in panel.view.as_text()
    assert panel.form.busy
    assert panel.view.run["url"] == BEGUN.url
    press(panel.form, do="run", typed={"body": "Again"})
    runs.let_end.set()
    panel.wait(60)
    assert runs.given == [{"body": "Hello", "count": 1}]
    assert not panel.form.busy
    assert state_of(panel.view) == "done"
    assert panel.view.run["state"] == "succeeded"
    assert panel.view.run["seconds"] == 3
    assert panel.view.said == []
    assert panel.view.outputs == {"label": "bug"}
    assert [line["text"] for line in panel.view.lines][-1] == "run succeeded"
    assert "Run r-1: succeeded" in panel.view.as_text()


def test_cancel(view: GraphView) -> None:
    runs = ToldRuns()
    panel = panel_of(view, runs)
    panel.run({"body": "Hello"})
    wait_until(lambda: state_of(panel.view) == "running")
    press(panel.form, do="cancel")
    panel.wait(60)
    assert panel.view.run["state"] == "canceled"
    assert panel.view.error == "It failed."


def test_what_cannot_be_begun_is_told_at_the_form(view: GraphView) -> None:
    runs = ToldRuns()
    runs.refuses = "Port 3000 is in use."
    panel = panel_of(view, runs)
    panel.run({"body": "Hello"})
    panel.wait(60)
    assert panel.form.problems == {"": "Port 3000 is in use."}
    assert "Port 3000 is in use." in panel.form.as_text()
    assert not panel.form.busy


def test_closing_stops_watching(view: GraphView) -> None:
    runs = ToldRuns()
    shown = RunView(view, runs.follow)
    shown.watch(BEGUN)
    wait_until(lambda: state_of(shown) == "running")
    shown.close()
    shown.wait(60)
    assert runs.left.is_set()


def test_a_second_run_takes_the_place_of_the_first(view: GraphView) -> None:
    runs = ToldRuns()
    shown = RunView(view, runs.follow)
    runs.let_end.set()
    shown.watch(BEGUN)
    shown.wait(60)
    shown.watch(Begun("r-2", ""))
    shown.wait(60)
    assert shown.run["id"] == "r-2"
    assert len(shown.lines) == 4


def test_a_view_that_cannot_follow_says_so(view: GraphView) -> None:
    async def follow(run_id: str, _: object) -> RunEnd:
        raise RunError(f"Run {run_id} was deleted.")

    shown = RunView(view, follow)
    shown.watch(BEGUN)
    shown.wait(60)
    assert shown.error == "Run r-1 was deleted."


def test_in_a_script_it_is_a_picture(view: GraphView) -> None:
    bundle, _ = panel_of(view, ToldRuns())._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "text/html", "image/svg+xml"}
    assert "body *" in bundle["text/plain"]
    assert "classify [ai.classify]" in bundle["text/plain"]
