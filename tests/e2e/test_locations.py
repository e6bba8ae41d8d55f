"""A second code location comes up beside the first, and both go on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.deploy import deploy_files, undeploy
from agentflow_dagster.operations.locations import ROOM_VARIABLE
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


ORIGIN = """
query Origin($id: ID!) {
  runOrError(runId: $id) { ... on Run { repositoryOrigin { repositoryLocationName } } }
}"""


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
