"""The widgets of a project's agents: what `%agentflow` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from agentflow_dagster.jupyter.project_services import Kinds
    from agentflow_dagster.jupyter.widgets.bench import TestBench
    from agentflow_dagster.jupyter.widgets.history import RunHistory
    from agentflow_dagster.jupyter.widgets.panel import RunPanel
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.spec.values import JsonObject, JsonSchema


def run_panel(
    project: Project,
    kinds: Kinds,
    target: str,
    *,
    given: JsonObject | None = None,
    partition: str | None = None,
) -> RunPanel:
    """A form for an agent's input, and its runs while they happen.

    Args:
        project: Where it belongs.
        kinds: Every node kind known here.
        target: The name of a deployed agent or working file, or a file's path.
        given: Values to begin with, in place of the defaults.
        partition: Of a partitioned agent: which partition.

    Raises:
        UsageError: there is no such agent or file.
        DocumentError: the file has errors.
    """
    from agentflow_dagster.graph.drawing import graph_view
    from agentflow_dagster.jupyter.project_services import ProjectRuns
    from agentflow_dagster.jupyter.widgets.panel import RunPanel
    from agentflow_dagster.operations.run import find_runnable
    from agentflow_dagster.operations.stores import project_stores

    with project_stores(project) as stores:
        agent = find_runnable(project, stores.versions, kinds, target, held=True).plan.agent
    runs = ProjectRuns(project, kinds, target, partition=partition)
    schema = cast("JsonSchema", agent.spec.inputs)
    return RunPanel(agent.name, schema, graph_view(agent, kinds), runs, given=given)


def run_history(project: Project, agent: str | None, *, limit: int = 50) -> RunHistory:
    """The newest runs of one agent, or of all."""
    from agentflow_dagster.jupyter.project_services import past_runs
    from agentflow_dagster.jupyter.widgets.history import RunHistory

    return RunHistory(agent or "all agents", lambda: past_runs(project, agent, limit=limit))


def document_bench(project: Project, kinds: Kinds, target: str) -> TestBench:
    """The tests of one document.

    Args:
        project: Where it belongs.
        kinds: Every node kind known here.
        target: A file, or the name of an agent of the project.

    Raises:
        UsageError: there is no such file or agent, or it has no tests.
        DocumentError: the file has errors.
    """
    from agentflow_dagster.jupyter.project_services import ProjectTests
    from agentflow_dagster.jupyter.widgets.bench import TestBench
    from agentflow_dagster.operations.testing import select_tests

    (selected,) = select_tests(project, kinds, [target])
    tests = ProjectTests(project, kinds, selected)
    return TestBench(selected.plan.agent.name, tests.named, tests)
