"""Runs an agent to its end, on a platform that is up or on one of its own."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.operations.announcement import found_running
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.operations.components import Ports
from agentflow_dagster.operations.platform import Platform, start_platform
from agentflow_dagster.operations.stores import project_stores
from agentflow_dagster.operations.storing import (
    checked_with_what_they_run,
    store_held,
    store_version,
)
from agentflow_dagster.orchestration.names import LOCATION, location_name
from agentflow_dagster.spec.diagnostics import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.partitions import Asked
    from agentflow_dagster.orchestration.record import RunRecord
    from agentflow_dagster.ports.stores import Version, VersionStore
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject, JsonSchema

_POLL_SECONDS = 0.2
_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Runnable:
    """What to run; `alone` where it is a file's content and not what is deployed.

    `location` is the code location that serves it.
    """

    plan: Plan
    version: Version
    alone: bool
    location: str = LOCATION


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A run that has been begun.

    Args:
        run_id: Dagster's.
        url: Its page in Dagster's UI; "" where the UI ends with the run.
        cancel: Asks Dagster to stop it, without waiting.
    """

    run_id: str
    url: str
    cancel: Callable[[], None]


def run_agent(
    project: Project,
    kinds: Catalogue,
    target: str,
    input_: JsonObject,
    *,
    progress: Callable[[str], None],
    tags: Mapping[str, str] | None = None,
    partition: str | None = None,
    begun: Callable[[BegunRun], None] | None = None,
    watched: bool = False,
) -> RunRecord:
    """Runs one agent and waits for its end. Interrupted, it asks Dagster to stop the run.

    Args:
        project: Where it belongs.
        kinds: Every node kind known here.
        target: The name of a deployed agent or working file, or a file's path.
        input_: The run's input.
        progress: Told what is being waited for.
        tags: More tags for the run.
        partition: The key of the partition that the run is of; of two dimensions `a=KEY,b=KEY`.
        begun: Told of the run as soon as there is one.
        watched: Whether who follows the run is told what its models say while they say it.

    Raises:
        UsageError: no such agent, file or partition, or the input does not meet its schema.
        DocumentError: the file has errors.
    """
    with project_stores(project) as stores:
        chosen = find_runnable(project, stores.versions, kinds, target, held=True)
    complete_input(cast("JsonSchema", chosen.plan.agent.spec.inputs), input_)
    asked = _asked(chosen.plan, partition)
    with _platform(project, chosen, progress) as platform:
        # A platform of its own has the first location alone.
        location = LOCATION if platform.processes else chosen.location
        from agentflow_dagster.orchestration.names import TRIGGER_TAG, WATCHED_TAG

        progress(f"Running {chosen.plan.agent.name}")
        asked_at = time.time()
        more = {TRIGGER_TAG: "manual", **(tags or {}), **(asked.tags if asked else {})}
        if watched:
            more[WATCHED_TAG] = "true"
        for name, key in asked.grows if asked else ():
            platform.client.add_partition(name, key, location=location)
        run_id = platform.client.launch(chosen.plan.agent.name, input_, more, location=location)
        try:
            if begun is not None:
                client = platform.client
                url = "" if platform.processes else client.run_url(run_id)
                begun(BegunRun(run_id, url, lambda: client.terminate(run_id)))
            return wait_for(platform, chosen.plan, run_id, asked_at=asked_at)
        except KeyboardInterrupt:
            progress(f"Stopping run {run_id}")
            _stop(platform, run_id)
            raise


def _asked(plan: Plan, partition: str | None) -> Asked | None:
    """The partition that a run is of.

    Raises:
        UsageError: the agent has none of that key, or one is needed and none was said.
    """
    cut = plan.agent.spec.partitions
    if cut is None:
        if partition is not None:
            raise UsageError(f"{plan.agent.name!r} has no partitions.")
        return None
    if partition is None:
        raise UsageError(
            f"{plan.agent.name!r} is partitioned.", hint="Say which one: --partition KEY."
        )
    from agentflow_dagster.orchestration.partitions import asked

    return asked(cut, partition)


def wait_for(platform: Platform, plan: Plan, run_id: str, *, asked_at: float) -> RunRecord:
    """Waits until a run has ended; its record."""
    from agentflow_dagster.orchestration.client import FINISHED
    from agentflow_dagster.orchestration.record import read_record

    while platform.client.run(run_id)["status"] not in FINISHED:
        if platform.processes is not None:
            platform.processes.check()
        time.sleep(_POLL_SECONDS)
    return read_record(
        platform.client,
        plan,
        platform.stores.steps,
        run_id,
        environment=platform.project.variables,
        asked_at=asked_at,
    )


def _stop(platform: Platform, run_id: str) -> None:
    """Asks Dagster to stop a run, and waits: its record is to say how it ended."""
    from agentflow_dagster.orchestration.client import FINISHED

    deadline = time.monotonic() + _STOP_SECONDS
    with suppress(RunError):  # where Dagster is gone too, the interrupt is what there is to tell
        platform.client.terminate(run_id)
        while platform.client.run(run_id)["status"] not in FINISHED:
            if time.monotonic() > deadline:
                return
            time.sleep(_POLL_SECONDS)


def find_runnable(
    project: Project,
    versions: VersionStore,
    kinds: Catalogue,
    target: str,
    *,
    held: bool = False,
) -> Runnable:
    """The agent of that name, or the one in that file.

    Args:
        project: Where it belongs.
        versions: What is deployed, and where a file's version is put.
        kinds: Every node kind known here.
        target: A name, or a file's path.
        held: Whether a file's references are held to versions, as a deployment does, and those
            stored too; without it they need not be sound.

    Raises:
        UsageError: there is none.
        DocumentError: it has errors.
    """
    path = Path(target)
    if path.suffix in {".yaml", ".yml", ".json", ".ipynb"} or "/" in target:
        return _from_file(project, versions, kinds, path, held=held)
    wanted = target.replace("_", "-")
    live = {d.version.agent.replace("_", "-"): d for d in versions.live(project.environment)}
    if wanted in live:
        version, place = live[wanted].version, location_name(live[wanted].location)
        return Runnable(plan_of(version.document, kinds), version, alone=False, location=place)
    files = {_stem(file): file for file in project.working_files()}
    if wanted in files:
        return _from_file(project, versions, kinds, files[wanted], held=held)
    raise UsageError(
        f"There is no agent {target!r}.",
        hint=nearest(wanted, {*live, *files}) or "Deploy one: agentflow deploy FILE",
    )


def _stem(path: Path) -> str:
    return path.name.partition(".")[0].replace("_", "-")


def _from_file(
    project: Project, versions: VersionStore, kinds: Catalogue, path: Path, *, held: bool
) -> Runnable:
    if not held:
        checked = check_file(path, kinds, file=project.relative(path))
        plan = checked.require()
        return Runnable(plan, store_version(versions, checked), alone=True)
    files = checked_with_what_they_run(project, versions, kinds, [path])
    name = next(iter(files))
    version = next(v for v in store_held(project, versions, files) if v.agent == name)
    return Runnable(plan_of(version.document, kinds), version, alone=True)


@contextmanager
def _platform(
    project: Project, chosen: Runnable, progress: Callable[[str], None]
) -> Generator[Platform]:
    """The project's platform where it is up and serves the agent; else one for this run alone."""
    running = None if chosen.alone else found_running(project)
    if running is None:
        ports = Ports.free(gateway=False)
        serve = chosen.version.hash
        with start_platform(
            project, ports, progress=progress, daemon=False, serve=serve
        ) as started:
            yield started
        return
    import httpx

    from agentflow_dagster.orchestration.client import DagsterClient

    with project_stores(project) as stores, httpx.Client(timeout=60) as http:
        client = DagsterClient(running["dagster"], http)
        yield Platform(project, client, stores, None, running["gateway"], running["jupyter"])
