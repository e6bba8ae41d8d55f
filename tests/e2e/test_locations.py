"""A second code location comes up beside the first, and both go on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.deploy import deploy_files, undeploy
from agentflow_dagster.operations.locations import ROOM_VARIABLE
from agentflow_dagster.orchestration.daemon import read_what_has_changed
from agentflow_dagster.orchestration.instance import DATABASE_VARIABLE
from agentflow_dagster.orchestration.names import PARENT_RUN_TAG
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.e2e.conftest import Running

CALLED = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: far-away}
spec:
  inputs: {type: object, properties: {n: {type: integer, default: 4}}}
  nodes:
    twice: {kind: code.python, with: {code: "d = 2 * n", inputs: {n: "{{input.n}}"}, outputs: [d]}}
  outputs: {d: "{{twice.output.d}}"}
"""
CALLER = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: far-caller}
spec:
  nodes:
    call: {kind: agent.run, with: {agent: far-away, input: {n: 5}}}
  outputs: {d: "{{call.output.d}}"}
"""


DAILY = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: just-published}
spec:
  partitions: {daily: {start: "2026-01-01", end: "2026-01-03"}}
  nodes:
    day: {kind: code.python, with: {code: "d = 1", outputs: [d]}}
"""
ORIGIN = """
query Origin($id: ID!) {
  runOrError(runId: $id) { ... on Run { repositoryOrigin { repositoryLocationName } } }
}"""


@pytest.fixture
def daemons_context(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> Generator[WorkspaceProcessContext]:
    """What a daemon knows of the code locations, one that has yet to hear that they change."""
    project = running.project
    monkeypatch.setenv(DATABASE_VARIABLE, project.variables[DATABASE_VARIABLE])
    monkeypatch.setattr(WorkspaceProcessContext, "_start_watch_thread", lambda *_: None)
    assert running.platform.code_servers is not None
    target = WorkspaceFileTarget([str(running.platform.code_servers.workspace)])
    with (
        DagsterInstance.from_config(str(project.home / "dagster")) as instance,
        WorkspaceProcessContext(instance, target) as context,
    ):
        yield context


def test_backfills_find_an_agent_that_was_just_published(
    running: Running, daemons_context: WorkspaceProcessContext
) -> None:
    def jobs() -> set[str]:
        location = daemons_context.create_request_context().get_code_location("agentflow")
        return {job.name for r in location.get_repositories().values() for job in r.get_all_jobs()}

    file = running.project.root / "notebooks" / "just_published.agent.yaml"
    file.write_text(DAILY)
    running.deploy(file.name)
    assert "just_published_job" not in jobs()
    read_what_has_changed(daemons_context)
    assert "just_published_job" in jobs()
    undeploy(running.project, running.platform.stores.versions, "just-published")


@pytest.fixture
def files(running: Running) -> Generator[dict[str, Path]]:
    """Two agents that are gone afterwards; the code location that was added stays."""
    folder = running.project.root / "notebooks"
    made = {name: folder / f"{name}.agent.yaml" for name in ("far_away", "far_caller")}
    made["far_away"].write_text(CALLED)
    made["far_caller"].write_text(CALLER)
    yield made
    for name in ("far-caller", "far-away"):
        undeploy(running.project, running.platform.stores.versions, name)
        made[name.replace("-", "_")].unlink()


@pytest.mark.soak
def test_what_does_not_fit_into_the_first_is_served_by_another(
    running: Running, files: dict[str, Path]
) -> None:
    platform = running.platform
    variables = {**running.project.variables, ROOM_VARIABLE: "1"}
    full = replace(running.project, variables=variables)
    kinds = all_kinds()
    (done,) = deploy_files(full, platform.stores.versions, kinds, [files["far_away"]])
    assert done.deployment.location == 2

    def served() -> bool:
        platform.add_locations()
        return platform.client.locations().keys() >= {"agentflow-2", "agentflow-files"}

    wait_until(served)
    assert set(platform.client.locations().values()) == {None}
    far = plan_of(done.deployment.version.document, kinds)
    run_id = platform.client.launch("far-away", {"n": 21}, {}, location="agentflow-2")
    assert running.finish(far, run_id).outputs == {"d": 42}

    (caller,) = running.deploy(files["far_caller"].name)
    parent = running.launch(caller, {})
    assert running.finish(caller, parent).outputs == {"d": 10}
    (child,) = platform.client.runs({PARENT_RUN_TAG: parent})
    assert location_of(running, parent) == "agentflow"
    assert location_of(running, str(child["runId"])) == "agentflow-2"


def location_of(running: Running, run_id: str) -> str:
    """Where the UI finds the job of a run."""
    asked: Any = {"query": ORIGIN, "variables": {"id": run_id}}
    answer = httpx.post(f"{running.platform.client.url}/graphql", json=asked, timeout=60).json()
    return answer["data"]["runOrError"]["repositoryOrigin"]["repositoryLocationName"]
