"""The newest runs as a table that can be filtered and read anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import traitlets

from agentflow_dagster.jupyter.background import Background
from agentflow_dagster.jupyter.node_states import cost, duration
from agentflow_dagster.jupyter.tables import Table
from agentflow_dagster.jupyter.widgets.base import JsonList, NotebookWidget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.jupyter.services import ListRuns, PastRun
    from agentflow_dagster.spec.values import JsonObject

_COLUMNS = ("status", "started (UTC)", ">took", ">cost", "trigger", "agent", "run")


class RunHistory(NotebookWidget):
    """A list of runs; it is read when it is made, and when somebody asks.

    Args:
        title: Whose they are.
        list_runs: Reads them.

    Raises:
        AgentFlowError: they cannot be read.
    """

    part: ClassVar[str] = "history"

    title = traitlets.Unicode().tag(sync=True)
    runs = JsonList().tag(sync=True)
    busy = traitlets.Bool(default_value=False).tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(self, title: str, list_runs: ListRuns) -> None:
        self._list = list_runs
        self._runs: Sequence[PastRun] = list_runs()
        self._background = Background("agentflow-runs", self._failed)
        super().__init__(title=title, runs=[_row(run) for run in self._runs])

    def refresh(self) -> None:
        """Reads the runs anew, beside the kernel."""
        self._background.begin(self._reading)

    def wait(self, seconds: float | None = None) -> None:
        """Waits until they were read, for so many seconds at most."""
        self._background.wait(seconds)

    async def _reading(self) -> None:
        self.busy, self.problem = True, ""
        try:
            self._runs = self._list()
            self.runs = [_row(run) for run in self._runs]
        finally:
            self.busy = False

    def asked(self, content: JsonObject) -> None:
        if content.get("do") == "refresh":
            self.refresh()

    def _failed(self, problem: Exception) -> None:
        self.problem = str(problem)

    def as_text(self) -> str:
        return self._table().as_text()

    def as_picture(self) -> Mapping[str, str]:
        return {"text/html": self._table().as_html()}

    def _table(self) -> Table:
        return Table(f"Runs of {self.title}", _COLUMNS, self._rows(), empty="None yet.")

    def _rows(self) -> list[list[str]]:
        return [
            [
                run.status,
                run.started_at.strftime("%Y-%m-%d %H:%M:%S") if run.started_at else "-",
                duration(run.seconds) if run.seconds is not None else "-",
                cost(run.cost),
                run.trigger or "-",
                run.agent,
                run.run_id,
            ]
            for run in self._runs
        ]


def _row(run: PastRun) -> JsonObject:
    """`PastRun` in `extensions/graph/src/RunHistory.tsx`."""
    told: JsonObject = {name: getattr(run, name) for name in run.__slots__}
    return {**told, "started_at": run.started_at.isoformat() if run.started_at else None}
