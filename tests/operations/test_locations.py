"""Which code location serves what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.deploy import deploy_files, undeploy
from agentflow_dagster.operations.locations import locations, place_of, room
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.serve import others_now, served_now
from agentflow_dagster.orchestration.names import LOCATION_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.stores import Stores

DOCUMENT = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: NAME}
spec: {nodes: {say: {kind: ai.chat, with: {prompt: "{{run.id}}"}}}}
"""
KINDS = builtin_kinds()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "notebooks").mkdir()
    for name in "abcd":
        path = tmp_path / "notebooks" / f"{name}.agent.yaml"
        path.write_text(DOCUMENT.replace("NAME", name))
    return Project(
        tmp_path, tmp_path / ".agentflow", variables={"AGENTFLOW_AGENTS_PER_LOCATION": "2"}
    )


def deploy(project: Project, stores: Stores, names: str) -> list[tuple[str, bool]]:
    files = [project.root / "notebooks" / f"{name}.agent.yaml" for name in names]
    done = deploy_files(project, stores.versions, KINDS, files)
    return [(one.deployment.version.agent, one.new) for one in done]


def served(project: Project, stores: Stores, location: str | None) -> list[str]:
    variables = dict(project.variables)
    if location:
        variables[LOCATION_VARIABLE] = location
    there = replace(project, variables=variables)
    return sorted(each.version.agent for each in served_now(there, stores.versions, KINDS))


def test_one_serves_everything_until_it_is_full(project: Project, stores: Stores) -> None:
    assert locations(stores.versions, "local") == ["agentflow"]
    deploy(project, stores, "ab")
    assert locations(stores.versions, "local") == ["agentflow"]
    assert served(project, stores, "agentflow") == ["a", "b", "c", "d"]


def test_then_each_serves_its_own(project: Project, stores: Stores) -> None:
    deploy(project, stores, "abc")
    assert locations(stores.versions, "local") == ["agentflow", "agentflow-2", "agentflow-files"]
    assert served(project, stores, "agentflow") == ["a", "b"]
    assert served(project, stores, "agentflow-2") == ["c"]
    assert served(project, stores, "agentflow-files") == ["d"]
    assert place_of(stores.versions, "local", "c") == "agentflow-2"
    assert place_of(stores.versions, "local", "d") is None


def test_dagsters_own_commands_find_all(project: Project, stores: Stores) -> None:
    deploy(project, stores, "abc")
    assert served(project, stores, None) == ["a", "b", "c", "d"]
    assert not others_now(project, stores.versions)


def test_a_working_file_may_run_what_another_location_serves(
    project: Project, stores: Stores
) -> None:
    deploy(project, stores, "abc")
    there = replace(project, variables={LOCATION_VARIABLE: "agentflow-files"})
    assert [v.agent for v in others_now(there, stores.versions)] == ["a", "b", "c"]
    there = replace(project, variables={LOCATION_VARIABLE: "agentflow-2"})
    assert not others_now(there, stores.versions)


def test_working_files_keep_their_location_when_the_second_is_empty(
    project: Project, stores: Stores
) -> None:
    deploy(project, stores, "abc")
    undeploy(project, stores.versions, "c")
    assert locations(stores.versions, "local") == ["agentflow", "agentflow-files"]
    assert served(project, stores, "agentflow-files") == ["c", "d"]


def test_deploying_tells_whether_an_agent_was_live_before(project: Project, stores: Stores) -> None:
    assert deploy(project, stores, "ab") == [("a", True), ("b", True)]
    assert deploy(project, stores, "bc") == [("b", False), ("c", True)]


def test_how_many_agents_have_room(project: Project) -> None:
    assert room(project) == 2
    assert room(replace(project, variables={})) == 50


@pytest.mark.parametrize("said", ["0", "-1", "many", "2.5"])
def test_no_number_of_agents(project: Project, said: str) -> None:
    with pytest.raises(UsageError, match="AGENTFLOW_AGENTS_PER_LOCATION"):
        room(replace(project, variables={"AGENTFLOW_AGENTS_PER_LOCATION": said}))
