"""What a code location serves, and that a run goes on with what it began with."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import pytest
from dagster import RunsFilter
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from dagster._core.definitions.reconstruct import (
    ReconstructableRepository,
    initialize_repository_def_from_pointer,
)
from dagster._core.execution.api import execute_run
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster_shared.serdes import serialize_value

from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.serve import served_now
from agentflow_dagster.operations.storing import store_version
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.location import ONE_JOB, Served, agent_definitions
from agentflow_dagster.ports.stores import GenerationId, Version, VersionHash
from tests.orchestration import served as location
from tests.orchestration.bench import version_of
from tests.orchestration.samples import TRIAGE, agent

if TYPE_CHECKING:
    from pathlib import Path

    from dagster import DagsterRun, RepositoryDefinition

    from agentflow_dagster.ports.stores import VersionStore
    from tests.orchestration.bench import Bench

NONE_YET = cast("DefinitionsLoadContext", None)
ONE = """
    first: {kind: ai.chat, with: {prompt: one}}
"""
CALLS = """
    call: {kind: agent.run, with: {agent: elsewhere}}
"""
TWO = """
    first: {kind: ai.chat, with: {prompt: two}}
    second: {kind: ai.chat, with: {prompt: "{{first.output.text}} more"}}
"""


POINTER = ModuleCodePointer(location.__name__, "defs")


def enqueue(bench: Bench, job: str) -> DagsterRun:
    """Creates a run as the webserver does on a code server that has just been reloaded."""
    location.at_work[:] = [bench]
    with DefinitionsLoadContext.scoped(NONE_YET):
        repository = initialize_repository_def_from_pointer(POINTER)
        definition = repository.get_job(job)
        data = repository.repository_load_data
        tags = definition.run_tags
        return bench.instance.create_run_for_job(definition, repository_load_data=data, tags=tags)


def work(bench: Bench, run: DagsterRun) -> None:
    """What a run's worker does, in a process that has loaded nothing yet."""
    repository = ReconstructableRepository(POINTER, entry_point=DEFAULT_DAGSTER_ENTRY_POINT)
    code = repository.get_reconstructable_job(run.job_name)
    with DefinitionsLoadContext.scoped(NONE_YET):
        execute_run(code, run, bench.instance)


def test_a_run_keeps_the_version_it_began_with(bench: Bench) -> None:
    first = bench.serve(agent("pinned", ONE))
    waiting = enqueue(bench, "pinned_job")
    bench.serve(agent("pinned", TWO))
    work(bench, waiting)
    ran = bench.ran(waiting.run_id)
    assert ran.status == "SUCCESS"
    assert set(ran.values) == {"first"}
    assert ran.values["first"].value == {"text": "re: one"}
    assert ran.tags["agentflow/version"] == first.version.hash

    after = enqueue(bench, "pinned_job")
    work(bench, after)
    assert set(bench.ran(after.run_id).values) == {"first", "second"}


def test_a_run_of_an_agent_that_was_taken_away_goes_on(bench: Bench) -> None:
    bench.serve(agent("gone", ONE))
    waiting = enqueue(bench, "gone_job")
    bench.clear()
    bench.serve(agent("another", ONE))
    work(bench, waiting)
    assert bench.ran(waiting.run_id).status == "SUCCESS"


def test_a_run_keeps_what_other_locations_served_when_it_began(bench: Bench) -> None:
    bench.serve(agent("asker", CALLS))
    bench.others = [bench.version(agent("elsewhere", ONE), deploy=True)]
    bench.places = {"elsewhere": "agentflow-2"}
    waiting = enqueue(bench, "asker_job")
    assert not [job for job in bench.repository.get_all_jobs() if job.name == "elsewhere_job"]
    bench.others = []
    work(bench, waiting)
    assert bench.ran(waiting.run_id).status == "SUCCESS"
    (child,) = bench.instance.get_runs(RunsFilter(job_name="elsewhere_job"))
    assert child.tags[names.PARENT_RUN_TAG] == waiting.run_id


def test_live_is_not_asked_while_a_run_is_rebuilt(bench: Bench) -> None:
    version = bench.version(agent("kept", ONE), deploy=True)
    pin = bench.stores.versions.pin({"kept": version.hash})
    definitions = rebuilt(bench, pin, live=lambda: pytest.fail("live was asked"))
    assert definitions.get_all_jobs()


def test_triggers_of_what_was_never_deployed_stay_off_when_rebuilt(bench: Bench) -> None:
    triggers = "triggers: {morning: {schedule: {cron: '0 9 * * *'}}}"
    never = bench.version(agent("never", ONE, more=triggers))
    once = bench.version(agent("once", ONE, more=triggers), deploy=True)
    pin = bench.stores.versions.pin({"never": never.hash, "once": once.hash})
    statuses = {s.name: s.default_status.value for s in rebuilt(bench, pin).schedule_defs}
    assert statuses == {"never__morning": "STOPPED", "once__morning": "RUNNING"}


def test_for_a_run_of_an_agents_own_job_that_agent_alone_is_rebuilt(bench: Bench) -> None:
    bench.serve(agent("one", ONE), agent("two", TWO))
    members = {name: served.version.hash for name, served in bench.served.items()}
    pin = bench.stores.versions.pin(members)
    whole = rebuilt(bench, pin)
    for job, jobs in (
        ("two_job", {"two_job", "__ASSET_JOB"}),
        ("__ASSET_JOB", {"one_job", "two_job", "__ASSET_JOB"}),
        ("by_hand", {"one_job", "two_job", "__ASSET_JOB"}),
    ):
        token = ONE_JOB.set(job)
        part = rebuilt(bench, pin)
        ONE_JOB.reset(token)
        assert {each.name for each in part.get_all_jobs()} == jobs
        if job == "two_job":
            same = [of.get_job(job).get_job_snapshot_id() for of in (whole, part)]
            assert same[0] == same[1]
            data = [of.repository_load_data for of in (whole, part)]
            assert data[0] == data[1]


def rebuilt(bench: Bench, pin: GenerationId, live: Any = list[Served]) -> RepositoryDefinition:
    """The definitions of a stored set."""

    context = DefinitionsLoadContext(DefinitionsLoadType.RECONSTRUCTION)
    context.__dict__["reconstruction_metadata"] = {"agentflow/generation": pin}
    with DefinitionsLoadContext.scoped(context):
        made = agent_definitions(live, bench.stores.versions, bench.kinds, bench.resources)
        return made.get_repository_def()


UNREADABLE = {
    "of another release": {"apiVersion": "agentflow.io/v9", "kind": "Agent"},
    "of an unknown kind": agent("bad", "    a: {kind: ai.gone}\n"),
    "with a circle": agent("bad", "    a: {kind: ai.chat, after: [a], with: {prompt: a}}\n"),
}


@pytest.mark.parametrize("how", UNREADABLE)
def test_what_cannot_be_read_is_left_out_and_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    document: Any = UNREADABLE[how]
    if isinstance(document, str):
        document = version_of(document).document
    hash_ = VersionHash("f" * 64)
    bench.stores.versions.put("bad", hash_, document, {})
    bad, _ = bench.stores.versions.deploy("local", hash_)
    bench.serve(agent("good", ONE))
    bench.served["bad"] = Served(bad.version, deployed=True)
    with caplog.at_level(logging.ERROR):
        assert {job.name for job in bench.repository.get_all_jobs()} == {"good_job", "__ASSET_JOB"}
    assert "bad is not served" in caplog.text
    assert bench.run("good").status == "SUCCESS"


def test_what_dagster_cannot_compile_is_left_out_and_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.serve(agent("good", ONE), agent("bad", ONE.replace("first", "worst")))
    monkeypatch.setattr(names, "owners", lambda plan: [""] if plan.agent.name == "bad" else [])
    with caplog.at_level(logging.ERROR):
        assert {job.name for job in bench.repository.get_all_jobs()} == {"good_job", "__ASSET_JOB"}
    assert "bad is not served" in caplog.text
    assert "Invalid owner" in caplog.text


def test_no_agents_are_a_location_too(bench: Bench) -> None:
    assert not bench.repository.assets_defs_by_key


def test_the_same_agents_make_the_same_definitions(bench: Bench) -> None:
    """Dagster keeps a snapshot of every job that differs; and reloads tell what changed by them."""
    one, other = TRIAGE, agent("other", TWO)
    told = [described(bench, order) for order in ((one, other), (one, other), (other, one))]
    assert told[0] == told[1] == told[2]


def described(bench: Bench, sources: tuple[str, ...]) -> dict[str, str]:
    """What the webserver is told, by name."""
    bench.clear()
    bench.serve(*sources)
    repository = bench.definitions.get_repository_def()
    jobs = {
        job.name: job.get_job_snapshot_id()
        for job in repository.get_all_jobs()
        if job.name != "__ASSET_JOB"
    }
    assets = {
        node.asset_key.to_string(): serialize_value(node)
        for node in RepositorySnap.from_def(repository).asset_nodes
    }
    return jobs | assets


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "definitions.py").touch()
    return Project.find(tmp_path, {"AGENTFLOW_HOME": str(tmp_path / "home")})


def write(project: Project, name: str, text: str) -> Path:
    path = project.root / "notebooks" / f"{name}.agent.yaml"
    path.write_text(text)
    return path


def now(project: Project, versions: VersionStore) -> dict[str, tuple[Version, bool]]:
    served = served_now(project, versions, all_kinds())
    return {s.version.agent: (s.version, s.deployed) for s in served}


def test_a_working_file_is_served_as_it_stands(project: Project, bench: Bench) -> None:
    write(project, "draft", agent("draft", ONE))
    version, deployed = now(project, bench.stores.versions)["draft"]
    assert not deployed
    assert version.number == 0
    write(project, "draft", agent("draft", TWO))
    assert now(project, bench.stores.versions)["draft"][0].hash != version.hash


@pytest.mark.parametrize("written", ["my-agent", "my_agent"])
def test_what_is_deployed_wins_over_a_working_file_of_its_name(
    project: Project, bench: Bench, written: str
) -> None:
    live = bench.version(agent("my-agent", ONE), deploy=True)
    write(project, "any", agent(written, TWO))
    served = now(project, bench.stores.versions)
    assert {name: (v.hash, on) for name, (v, on) in served.items()} == {
        "my-agent": (live.hash, True)
    }


def test_two_working_files_of_one_name_are_served_once(project: Project, bench: Bench) -> None:
    write(project, "a", agent("my-agent", ONE))
    write(project, "b", agent("my_agent", TWO))
    assert list(now(project, bench.stores.versions)) == ["my-agent"]


@pytest.mark.parametrize(
    "text", ["", "no: agent", "apiVersion: [", agent("bad", "    a: {kind: ai.gone}\n"), "\x00"]
)
def test_a_working_file_with_errors_is_left_out_and_logged(
    project: Project, bench: Bench, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    write(project, "bad", text)
    write(project, "good", agent("good", ONE))
    with caplog.at_level(logging.WARNING):
        assert list(now(project, bench.stores.versions)) == ["good"]
    assert "notebooks/bad.agent.yaml is not served" in caplog.text


def test_one_version_alone_may_be_served(project: Project, bench: Bench) -> None:
    write(project, "file", agent("file", ONE))
    bench.version(agent("live", ONE), deploy=True)
    wanted = bench.version(agent("live", TWO))
    variables = {**project.variables, "AGENTFLOW_SERVE": wanted.hash}
    alone = Project(project.root, project.home, variables=variables)
    served = now(alone, bench.stores.versions)
    assert {name: (v.hash, on) for name, (v, on) in served.items()} == {
        "live": (wanted.hash, False)
    }


def test_a_working_file_is_stored_as_deploying_would(project: Project, bench: Bench) -> None:
    from agentflow_dagster.operations.check import check_file

    path = write(project, "same", agent("same", ONE))
    served, _ = now(project, bench.stores.versions)["same"]
    checked = check_file(path, all_kinds(), file=project.relative(path))
    assert store_version(bench.stores.versions, checked).hash == served.hash
