"""What widgets ask for, done by a project's operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError
from agentflow_dagster.jupyter.services import Begun, NamedTest, Outcome, PastRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.operations.run import BegunRun
    from agentflow_dagster.operations.testing import Selected
    from agentflow_dagster.ports.document_tests import TestReport
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.ports.live_events import LiveEvent, ModelSaid, RunEnd
    from agentflow_dagster.spec.kind import KindConfig
    from agentflow_dagster.spec.values import JsonObject

    Kinds = Mapping[str, Kind[KindConfig]]

_ENDS: Mapping[str, RunEnd] = {"SUCCESS": "succeeded", "CANCELED": "canceled"}


class ProjectRuns:
    """Runs one agent of a project, on the platform that is up or on one of its own.

    Args:
        project: Where it belongs.
        kinds: Every node kind known here.
        target: The name of a deployed agent or working file, or a file's path.
        partition: Of a partitioned agent: which partition.
    """

    def __init__(
        self, project: Project, kinds: Kinds, target: str, *, partition: str | None = None
    ) -> None:
        self._project = project
        self._kinds = kinds
        self._target = target
        self._partition = partition
        self._begun: dict[str, BegunRun] = {}

    def run(
        self,
        input_: JsonObject,
        *,
        begun: Callable[[Begun], None],
        progress: Callable[[str], None],
    ) -> Outcome:
        from agentflow_dagster.operations.run import run_agent

        def note(run: BegunRun) -> None:
            self._begun[run.run_id] = run
            begun(Begun(run.run_id, run.url))

        try:
            record = run_agent(
                self._project,
                self._kinds,
                self._target,
                input_,
                progress=progress,
                partition=self._partition,
                begun=note,
                watched=True,
            )
        finally:
            self._begun.clear()
        error = record.error or next((node.error for node in record.nodes if node.error), "")
        end = _ENDS.get(record.status, "failed")
        return Outcome(end, record.outputs, "" if end == "succeeded" else error)

    async def follow(self, run_id: str, tell: Callable[[LiveEvent | ModelSaid], None]) -> RunEnd:
        from agentflow_dagster.operations.live_view import live_view

        return await live_view(self._project, run_id, tell, said=tell)

    def cancel(self, run_id: str) -> None:
        begun = self._begun.get(run_id)
        if begun is None:
            raise RunError(f"Run {run_id} has ended.", retryable=False)
        begun.cancel()


def past_runs(project: Project, agent: str | None, *, limit: int = 50) -> list[PastRun]:
    """The newest runs of a project, or of one agent, whether or not it is up."""
    from agentflow_dagster.operations.announcement import found_running
    from agentflow_dagster.operations.runs import list_runs
    from agentflow_dagster.operations.stores import project_stores

    running = found_running(project)
    # One opening of the stores keeps an embedded database up for both.
    with project_stores(project) as stores:
        found = list_runs(project, agent, limit=limit)
        costs = stores.account.costs([run.run_id for run in found])
    return [
        PastRun(
            run_id=run.run_id,
            agent=run.agent,
            trigger=run.trigger,
            status=run.status,
            started_at=run.started_at,
            seconds=run.seconds,
            cost=costs[run.run_id],
            url=f"{running['dagster']}/runs/{run.run_id}" if running else "",
        )
        for run in found
    ]


class ProjectTests:
    """The tests of one document of a project, run in this process.

    Args:
        project: Where it belongs.
        kinds: Every node kind known here.
        selected: The document.
    """

    def __init__(self, project: Project, kinds: Kinds, selected: Selected) -> None:
        from agentflow_dagster.operations.testing import DocumentTests

        self._project = project
        self._kinds = kinds
        self._plan = selected.plan
        self._names = selected.tests
        self._runner = DocumentTests()

    @property
    def named(self) -> Sequence[NamedTest]:
        """The tests, in the document's order."""
        written = self._plan.agent.spec.tests
        return [
            NamedTest(name, written[name].description, written[name].node or "")
            for name in self._names
        ]

    async def __call__(self, name: str) -> TestReport:
        from agentflow_dagster.operations.testing import project_plans, project_services

        services = project_services(self._project, self._kinds)
        find = project_plans(self._project, self._kinds)
        return await self._runner.run(self._plan, name, services, find)
