"""A run from its input to its outputs: the form, and below it the run that it began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import ipywidgets

from agentflow_dagster.errors import AgentFlowError
from agentflow_dagster.jupyter.background import Background
from agentflow_dagster.jupyter.widgets.form import RunForm
from agentflow_dagster.jupyter.widgets.run import RunView

if TYPE_CHECKING:
    from agentflow_dagster.graph.view import GraphView
    from agentflow_dagster.jupyter.services import Begun, Runs
    from agentflow_dagster.jupyter.widgets.base import MimeBundle
    from agentflow_dagster.spec.values import JsonObject, JsonSchema

_LIVE = "application/vnd.jupyter.widget-view+json"


class RunPanel:
    """Runs an agent by its form, as often as one likes, one run at a time.

    Args:
        title: The agent's name.
        schema: JSON Schema of its input.
        view: Its graph.
        runs: Begins runs, follows and cancels them.
        given: Values to begin with, in place of the defaults.
    """

    def __init__(
        self,
        title: str,
        schema: JsonSchema,
        view: GraphView,
        runs: Runs,
        *,
        given: JsonObject | None = None,
    ) -> None:
        self._runs = runs
        self._begun: Begun | None = None
        self._background = Background("agentflow-run", self._failed)
        self.form = RunForm(title, schema, run=self.run, cancel=self.cancel, given=given)
        self.view = RunView(view, runs.follow)

    def run(self, input_: JsonObject) -> None:
        """Begins a run, where none is under way; the input meets the schema."""
        self._background.begin(lambda: self._running(input_))

    def cancel(self) -> None:
        """Cancels the run that is under way, once it has begun."""
        begun = self._begun
        if begun is None:
            return
        self.form.saying = "Canceling"

        async def canceling() -> None:
            self._runs.cancel(begun.run_id)

        Background("agentflow-cancel", self._failed).begin(canceling)

    def wait(self, seconds: float | None = None) -> None:
        """Waits until the run has ended and all of it is shown, for so many seconds at most."""
        self._background.wait(seconds)
        self.view.wait(seconds)

    def close(self) -> None:
        """Stops showing; a run that is under way goes on."""
        self.form.close()
        self.view.close()

    async def _running(self, input_: JsonObject) -> None:
        self.form.busy = True
        try:
            outcome = self._runs.run(input_, begun=self._watch, progress=self._say)
            self.view.finish(outcome)
        finally:
            self._begun = None
            self.form.busy = False
            self.form.saying = ""

    def _watch(self, begun: Begun) -> None:
        self._begun = begun
        self.form.saying = ""
        self.view.watch(begun)

    def _say(self, text: str) -> None:
        self.form.saying = text

    def _failed(self, problem: Exception) -> None:
        text = str(problem) if isinstance(problem, AgentFlowError) else repr(problem)
        self.form.problems = {"": text}

    def _repr_mimebundle_(self, **options: object) -> MimeBundle:
        form, view = self.form.shown(), self.view.shown()
        text = f"{form[0]['text/plain']}\n{view[0]['text/plain']}"
        if _LIVE not in form[0]:
            return {**form[0], **view[0], "text/plain": text}, {}
        box = cast("Any", ipywidgets.VBox)(children=[self.form, self.view])
        live = cast("dict[str, object]", box._repr_mimebundle_())
        return {**live, "text/plain": text, "image/svg+xml": view[0]["image/svg+xml"]}, {}
