"""Deploying what runs other agents: tags become digests, and what is run comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.errors import DocumentError, UsageError
from agentflow_dagster.graph.agent_references import parse_reference, references
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.agents import known_agents
from agentflow_dagster.operations.deploy import deploy_files, undeploy
from agentflow_dagster.operations.listing import list_agents
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.run import find_runnable
from agentflow_dagster.ports.stores import VersionHash
from agentflow_dagster.spec.canonical import content_hash
from agentflow_dagster.spec.parse import parse_agent
from agentflow_dagster.stores import open_stores

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from agentflow_dagster.ports.stores import Version
    from agentflow_dagster.stores import Stores

WORKER = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: NAME, tag: TAG}
spec:
  nodes:
    say: {kind: ai.chat, with: {prompt: "{{run.id}}: CONTENT"}}
  outputs: {said: "{{say.output.text}}"}
"""
WORKFLOW = """
apiVersion: agentflow.io/v1
kind: Workflow
metadata: {name: both}
spec:
  agents:
    - {name: first-one, image: "agents/sorter:v1"}
    - {name: second-one, image: "agents/writer", dependsOn: [first-one]}
"""
KINDS = builtin_kinds()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "definitions.py").touch()
    (tmp_path / "notebooks").mkdir()
    write(tmp_path, "sorter", "v1", "one")
    write(tmp_path, "writer", "v7", "two")
    (tmp_path / "notebooks" / "both.workflow.yaml").write_text(WORKFLOW)
    return Project(tmp_path, tmp_path / ".agentflow", variables={})


@pytest.fixture
def stores(database_url: str, tmp_path: Path) -> Generator[Stores]:
    with open_stores(database_url, tmp_path / "artifacts") as opened:
        yield opened


def write(root: Path, name: str, tag: str, content: str) -> Path:
    path = root / "notebooks" / f"{name}.agent.yaml"
    text = WORKER.replace("NAME", name).replace("TAG", tag).replace("CONTENT", content)
    path.write_text(text)
    return path


def deploy(project: Project, stores: Stores, *names: str) -> dict[str, Version]:
    paths = [project.root / "notebooks" / name for name in names]
    done = deploy_files(project, stores.versions, KINDS, paths)
    return {one.deployment.version.agent: one.deployment.version for one in done}


def runs(version: Version) -> list[str]:
    agent: Any = parse_agent(version.document)
    assert content_hash(agent) == version.hash
    return [text for _, text in references(agent)]


def test_whether_the_limit_of_runs_is_new(project: Project, stores: Stores) -> None:
    path = write(project.root, "sorter", "v1", "one")

    def new_limit() -> bool:
        (done,) = deploy_files(project, stores.versions, KINDS, [path])
        assert done.changed
        return done.new_limit

    assert new_limit()
    write(project.root, "sorter", "v1", "other")
    assert not new_limit()
    path.write_text(
        path.read_text().replace("  outputs:", "  config: {maxConcurrentExecutions: 3}\n  outputs:")
    )
    assert new_limit()


def test_every_tag_becomes_a_digest_and_what_is_run_is_deployed_first(
    project: Project, stores: Stores
) -> None:
    done = deploy(project, stores, "both.workflow.yaml")
    assert list(done)[-1] == "both"
    assert runs(done["both"]) == [
        f"agents/sorter:v1@sha256:{done['sorter'].hash}",
        f"agents/writer@sha256:{done['writer'].hash}",
    ]
    assert [d.version.agent for d in stores.versions.live("local")] == ["both", "sorter", "writer"]


def test_a_version_keeps_to_what_its_tags_meant(project: Project, stores: Stores) -> None:
    before = deploy(project, stores, "both.workflow.yaml")
    write(project.root, "sorter", "v1", "something else")
    after = deploy(project, stores, "sorter.agent.yaml", "both.workflow.yaml")
    assert after["sorter"].hash != before["sorter"].hash
    assert runs(after["both"])[0].endswith(after["sorter"].hash)
    stored = stores.versions.get(before["both"].hash)
    assert stored is not None
    assert runs(stored)[0].endswith(before["sorter"].hash)


def test_an_older_tag_is_found_among_what_was_deployed(project: Project, stores: Stores) -> None:
    old = deploy(project, stores, "sorter.agent.yaml")["sorter"]
    write(project.root, "sorter", "v2", "newer")
    deploy(project, stores, "sorter.agent.yaml")
    assert known_agents(project, stores.versions)["sorter"] == {"v1", "v2", "1", "2"}
    both = deploy(project, stores, "both.workflow.yaml")["both"]
    assert runs(both)[0] == f"agents/sorter:v1@sha256:{old.hash}"


def test_the_file_of_what_is_live_is_not_said_to_have_changed(
    project: Project, stores: Stores
) -> None:
    deploy(project, stores, "both.workflow.yaml")
    states = {a.name: a.state for a in list_agents(project, stores.versions, KINDS)}
    assert states == {"both": "live", "sorter": "live", "writer": "live"}
    (project.root / "notebooks" / "both.workflow.yaml").write_text(
        WORKFLOW.replace("agents/writer", "agents/writer:v7")
    )
    states = {a.name: a.state for a in list_agents(project, stores.versions, KINDS)}
    assert states["both"] == "changed since"


def test_what_is_not_there_deploys_nothing(project: Project, stores: Stores) -> None:
    (project.root / "notebooks" / "both.workflow.yaml").write_text(
        WORKFLOW.replace("sorter:v1", "sorter:v3")
    )
    with pytest.raises(DocumentError, match=r"AF807.*Did you mean 'v1'"):
        deploy(project, stores, "both.workflow.yaml")
    assert stores.versions.live("local") == []


def test_agents_that_run_each_other_are_refused(project: Project, stores: Stores) -> None:
    for name, other in (("sorter", "writer"), ("writer", "sorter")):
        (project.root / "notebooks" / f"{name}.agent.yaml").write_text(
            "apiVersion: agentflow.io/v1\nkind: Agent\n"
            f"metadata: {{name: {name}}}\n"
            f"spec: {{nodes: {{other: {{kind: agent.run, with: {{agent: {other}}}}}}}}}\n"
        )
    with pytest.raises(UsageError, match="run each other: "):
        deploy(project, stores, "sorter.agent.yaml")


def test_what_another_one_runs_is_not_taken_away(project: Project, stores: Stores) -> None:
    deploy(project, stores, "both.workflow.yaml")
    with pytest.raises(UsageError, match="'sorter' is run by both"):
        undeploy(project, stores.versions, "sorter")
    assert undeploy(project, stores.versions, "both").version.number == 1
    undeploy(project, stores.versions, "sorter")
    assert [d.version.agent for d in stores.versions.live("local")] == ["writer"]
    with pytest.raises(UsageError, match="Did you mean 'writer'"):
        undeploy(project, stores.versions, "writter")


def test_a_file_that_is_run_is_held_to_what_its_references_mean(
    project: Project, stores: Stores
) -> None:
    file = project.root / "notebooks" / "both.workflow.yaml"
    found = find_runnable(project, stores.versions, KINDS, str(file), held=True)
    assert found.alone
    first, second = (parse_reference(text) for text in runs(found.version))
    for one, content in ((first, "one"), (second, "two")):
        version = stores.versions.get(VersionHash(one.digest)) if one and one.digest else None
        assert version is not None
        assert content in str(version.document)
    assert not stores.versions.live(project.environment)
    deployed = deploy(project, stores, "both.workflow.yaml")
    assert deployed["both"].hash == found.version.hash
