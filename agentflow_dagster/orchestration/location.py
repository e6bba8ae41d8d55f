"""A code location's definitions: the versions it serves, each run pinned to the set it began with.

When Dagster builds definitions afresh, the set is what is live now; its id goes into every plan
snapshot. When a worker rebuilds them for a run that was started earlier, the id is read back and
the same set is compiled, whatever was deployed in between.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster import Definitions
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)

from agentflow_dagster.errors import DocumentError
from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.graph.code_places import with_code_places
from agentflow_dagster.orchestration.child_runs import Peers, Place, nowhere_else
from agentflow_dagster.orchestration.compile import CompiledAgent, compile_agent
from agentflow_dagster.orchestration.document_tests import compile_tests
from agentflow_dagster.orchestration.names import job_name
from agentflow_dagster.orchestration.pinned_versions import PinnedVersions
from agentflow_dagster.orchestration.resuming import resuming_executor
from agentflow_dagster.orchestration.retention_schedule import JOB as RETENTION_JOB
from agentflow_dagster.orchestration.retention_schedule import retention_schedule
from agentflow_dagster.orchestration.triggers import schedules, sensor
from agentflow_dagster.ports.stores import GenerationId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agentflow_dagster.orchestration.document_tests import Tester
    from agentflow_dagster.orchestration.retention import Retention
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.ports.stores import Version, VersionStore
    from agentflow_dagster.spec.kind import KindConfig

__all__ = ["GENERATION", "ONE_JOB", "Definitions", "Served", "agent_definitions", "compile_version"]

GENERATION = "agentflow/generation"
OTHERS = "agentflow/others"
"""As a generation: what other code locations serve and the agents of this one may run by name."""
ONE_JOB: ContextVar[str | None] = ContextVar("agentflow_one_job", default=None)
"""Set where a run of this job is carried out: if it is an agent's own, that agent alone is rebuilt,
since the other forty-nine take a second to compile."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """One agent that a location serves; only a deployed one's triggers are on by themselves."""

    version: Version
    deployed: bool


def agent_definitions(
    live: Callable[[], Sequence[Served]],
    store: VersionStore,
    kinds: Mapping[str, Kind[KindConfig]],
    resources: Mapping[str, object],
    *,
    tester: Tester | None = None,
    others: Callable[[], Sequence[Version]] = tuple,
    place: Place = nowhere_else,
    retention: Retention | None = None,
) -> Definitions:
    """Builds the definitions; call it inside a function decorated with `dagster.definitions`.

    Args:
        live: What to serve now; not asked while a run is being rebuilt.
        store: Keeps the sets that runs are pinned to.
        kinds: Every node kind known here.
        resources: `RUN_RESOURCES`, by key.
        tester: Runs the tests of documents; None leaves them out.
        others: What other code locations serve now and the agents of this one may run by name; not
            asked while a run is being rebuilt.
        place: The code location of an agent.
        retention: Deletes what is past its age, by a schedule of this location's; None leaves that
            to another location.
    """
    upkeep = [retention_schedule(retention)] if retention is not None else []
    if ONE_JOB.get() == RETENTION_JOB and upkeep:
        return Definitions(schedules=upkeep)
    context = DefinitionsLoadContext.get()
    rebuilding = context.load_type == DefinitionsLoadType.RECONSTRUCTION
    if rebuilding and GENERATION in context.reconstruction_metadata:
        generation = GenerationId(str(context.reconstruction_metadata[GENERATION]))
        elsewhere = GenerationId(str(context.reconstruction_metadata.get(OTHERS, "")))
        one = _agent_of(ONE_JOB.get(), store, generation)
        if one is not None:
            known = PinnedVersions(store, [elsewhere, generation] if elsewhere else [generation])
            served, peers = [_pinned(known[one])], peers_of(known, kinds, place)
            tester = None
        else:
            served = [_pinned(version) for version in store.pinned(generation)]
            others_then = store.pinned(elsewhere) if elsewhere else ()
            peers = _compiled_before([*others_then, *_versions(served)], kinds, place)
    else:
        served = list(live())
        generation = store.pin({s.version.agent: s.version.hash for s in served})
        others_now = others()
        elsewhere = store.pin({v.agent: v.hash for v in others_now}) if others_now else ""
        peers = _compiled_before([*others_now, *_versions(served)], kinds, place)
    context.add_to_pending_reconstruction_metadata(GENERATION, generation)
    if elsewhere:
        context.add_to_pending_reconstruction_metadata(OTHERS, elsewhere)
    made = _definitions(served, peers, kinds, resources, tester)
    return Definitions.merge(made, Definitions(schedules=upkeep)) if upkeep else made


def _versions(served: Sequence[Served]) -> list[Version]:
    return [each.version for each in served]


def _pinned(version: Version) -> Served:
    return Served(version, deployed=version.number > 0)  # it has one once it was ever deployed


def _agent_of(job: str | None, store: VersionStore, generation: GenerationId) -> str | None:
    """The agent of a set whose own job this is."""
    if job is None:
        return None
    agents = store.members(generation)
    return next((agent for agent in agents if job_name(agent) == job), None)


def _definitions(
    served: Sequence[Served],
    peers: Peers,
    kinds: Mapping[str, Kind[KindConfig]],
    resources: Mapping[str, object],
    tester: Tester | None,
) -> Definitions:
    compiled: list[tuple[CompiledAgent, bool]] = []
    for one in served:
        try:
            compiled.append((peers.compile(one.version), one.deployed))
        except DocumentError as problem:
            # One agent that this release cannot read must not take the others down with it,
            _log.error("%s is not served: %s", one.version.agent, problem)
        except Exception:  # noqa: BLE001 - nor one that we, or Dagster, cannot compile.
            _log.exception("%s is not served: it cannot be compiled.", one.version.agent)
    sensors = [s for agent, on in compiled if (s := sensor(agent, running=on)) is not None]
    tests = [
        compile_tests(agent.plan, agent.version, kinds, peers, tester)
        for agent, _ in compiled
        if tester is not None and agent.plan.agent.spec.tests
    ]
    return Definitions(
        assets=[
            *(assets for agent, _ in compiled for assets in agent.assets),
            *(one.asset for one in tests),
        ],
        asset_checks=[check for one in tests for check in one.checks],
        jobs=[*(agent.job for agent, _ in compiled), *(one.job for one in tests)],
        schedules=[s for agent, on in compiled for s in schedules(agent, running=on)],
        sensors=sensors,
        resources=dict(resources),
        # For the job that Dagster makes of all assets, "materialize selected" runs in it.
        executor=resuming_executor,
    )


def _compiled_before(
    versions: Sequence[Version], kinds: Mapping[str, Kind[KindConfig]], place: Place
) -> Peers:
    """The agents, compiled once as long as they are the same: Dagster builds the definitions twice
    when it loads a code location."""
    asked = (list(versions), dict(kinds), place)
    if not _last or _last[0][:3] != asked:
        known = {version.agent: version for version in versions}
        _last[:] = [(*asked, peers_of(known, kinds, place))]
    return _last[0][3]


_last: list[tuple[list[Version], dict[str, Kind[KindConfig]], Place, Peers]] = []


def peers_of(
    versions: Mapping[str, Version],
    kinds: Mapping[str, Kind[KindConfig]],
    place: Place = nowhere_else,
) -> Peers:
    """Agents by name that can run each other; each is compiled once, and only where it is asked
    for."""
    compiled: dict[str, CompiledAgent] = {}

    def compile_(version: Version) -> CompiledAgent:
        if version.hash not in compiled:
            plan = with_code_places(plan_of(version.document, kinds), version.source)
            compiled[version.hash] = compile_agent(plan, version, kinds, peers)
        return compiled[version.hash]

    peers = Peers(versions, compile_, place)
    return peers


def compile_version(version: Version, kinds: Mapping[str, Kind[KindConfig]]) -> CompiledAgent:
    """Checks and compiles a stored version by itself.

    Raises:
        DocumentError: this release cannot read it.
    """
    return peers_of({version.agent: version}, kinds).compile(version)
