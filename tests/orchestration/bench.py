"""What the tests of this room work on: agents compiled from YAML, and their runs on real Dagster.

    triage = bench.serve(YAML)
    ran = bench.run("triage", {"body": "…"})
    ran.status, ran.succeeded, ran.skipped, ran.values

Runs go the way that a launch goes: Dagster checks the run config, creates the run, and its
in-process executor executes it.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from dagster import AssetKey, DagsterEventType, DagsterRun, DagsterRunStatus
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.selector import JobSubsetSelector
from dagster._core.execution.api import execute_run_iterator
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.testing import DocumentTests
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.location import Served, agent_definitions, compile_version
from agentflow_dagster.orchestration.run_config import run_config
from agentflow_dagster.orchestration.wiring import START
from agentflow_dagster.ports.stores import Version, VersionHash
from agentflow_dagster.sandbox import ChildProcess
from agentflow_dagster.sources import ProjectSources
from agentflow_dagster.spec.canonical import content_hash, to_json
from agentflow_dagster.spec.parse import parse_agent
from agentflow_dagster.spec.yaml_reader import read_yaml
from tests.orchestration import served
from tests.orchestration.adapters import (
    Adapter,
    Code,
    Models,
    OpenStores,
    ScriptedModel,
    Secrets,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from dagster import (
        DagsterEvent,
        DagsterInstance,
        Definitions,
        EventLogEntry,
        RepositoryDefinition,
        RunRequest,
    )
    from dagster._core.execution.plan.resume_retry import ReexecutionStrategy

    from agentflow_dagster.orchestration.compile import CompiledAgent
    from agentflow_dagster.ports.events import Sources
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.ports.stores import StepOutput
    from agentflow_dagster.spec.kind import KindConfig
    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.stores import Stores

Source: TypeAlias = "str | JsonObject"
"""An agent as YAML or as a document."""
QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


@dataclass(frozen=True)
class Ran:
    """One run, as Dagster and the store have it."""

    run: DagsterRun
    ids: Sequence[int]
    events: Sequence[EventLogEntry]
    values: Mapping[str, StepOutput]

    @property
    def run_id(self) -> str:
        return self.run.run_id

    @property
    def status(self) -> str:
        return self.run.status.value

    @property
    def tags(self) -> Mapping[str, str]:
        return self.run.tags

    @cached_property
    def succeeded(self) -> set[str]:
        return self._steps(DagsterEventType.STEP_SUCCESS)

    @cached_property
    def skipped(self) -> set[str]:
        return self._steps(DagsterEventType.STEP_SKIPPED)

    @cached_property
    def failed(self) -> set[str]:
        return self._steps(DagsterEventType.STEP_FAILURE)

    @property
    def nodes_succeeded(self) -> set[str]:
        """Nodes, not the step that agents with optional reads begin with."""
        return self.succeeded - {START}

    @cached_property
    def materialized(self) -> set[str]:
        return {key.path[-1] for key in self.materializations}

    @cached_property
    def materializations(self) -> dict[AssetKey, Any]:
        """Metadata by asset."""
        return {
            entry.asset_materialization.asset_key: entry.asset_materialization.metadata
            for entry in self.events
            if entry.asset_materialization is not None
        }

    def outputs(self, node: str) -> list[str]:
        """The ports by which a step left, as Dagster saw it."""
        return [
            event.step_output_data.output_name
            for event in self.of_type(DagsterEventType.STEP_OUTPUT)
            if event.step_key and step_name(event.step_key) == node
        ]

    def of_type(self, *types: DagsterEventType) -> list[Any]:
        return [
            entry.dagster_event
            for entry in self.events
            if entry.dagster_event and entry.dagster_event.event_type in types
        ]

    def failure(self, node: str) -> Any:
        """How a step failed."""
        (event,) = [
            event
            for event in self.of_type(DagsterEventType.STEP_FAILURE)
            if step_name(event.step_key) == node
        ]
        return event.step_failure_data

    def count(self, type_: DagsterEventType, node: str) -> int:
        return sum(step_name(e.step_key) == node for e in self.of_type(type_))

    def told(self) -> str:
        """Everything that Dagster keeps of the run, as text."""
        return "\n".join([str(self.run), *(entry.to_json() for entry in self.events)])

    def _steps(self, type_: DagsterEventType) -> set[str]:
        return {step_name(event.step_key) for event in self.of_type(type_)}


def version_of(source: Source) -> Version:
    """A version that is stored nowhere."""
    read = read_yaml(source) if isinstance(source, str) else None
    document = cast("JsonObject", read.document if read else source)
    agent = parse_agent(document)
    assert not isinstance(agent, tuple), agent
    places = read.positions if read else {}
    positions = {p: {"line": at.line, "cell": at.cell} for p, at in places.items()}
    return Version(
        hash=VersionHash(content_hash(agent)),
        agent=agent.name,
        number=1,
        document=to_json(agent),
        source=cast("JsonObject", {"file": f"notebooks/{agent.name}.yaml", "positions": positions}),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@contextmanager
def loading() -> Generator[None]:
    """Definitions are made afresh inside, whatever Dagster has last rebuilt in this process."""
    context = DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION)
    with DefinitionsLoadContext.scoped(context):
        yield


def compiled(source: Source | Version) -> CompiledAgent:
    """An agent as Dagster gets it, stored nowhere."""
    version = source if isinstance(source, Version) else version_of(source)
    return compile_version(version, builtin_kinds())


class Bench:
    """A Dagster instance, the stores, and what was compiled for them."""

    def __init__(
        self, instance: DagsterInstance, stores: Stores, database_url: str, artifacts: Path
    ) -> None:
        self.instance = instance
        self.artifacts = artifacts
        self.database_url = database_url
        self.stores = stores
        self.model = ScriptedModel()
        self.secrets = Secrets()
        self.data = artifacts.parent / "data"
        self.sources: Sources = ProjectSources(self.data)
        self.kinds: dict[str, Kind[KindConfig]] = builtin_kinds()
        self.compiled: dict[str, CompiledAgent] = {}
        self.served: dict[str, Served] = {}
        self.others: list[Version] = []
        self.places: dict[str, str] = {}
        self._repository: RepositoryDefinition | None = None

    @property
    def resources(self) -> dict[str, Any]:
        return {
            "model": Models(self.model),
            "code": Code(ChildProcess(), self.data),
            "secrets": self.secrets,
            "sources": Adapter(self.sources),
            "stores": OpenStores(self.stores),
        }

    def version(self, source: Source, *, deploy: bool = False) -> Version:
        """Stores an agent."""
        made = version_of(source)
        stored = self.stores.versions.put(made.agent, made.hash, made.document, made.source)
        if deploy:
            return self.stores.versions.deploy("local", made.hash)[0].version
        return stored

    def serve(self, *sources: Source, deployed: bool = True) -> CompiledAgent:
        """Compiles agents and adds them to what is served; gives the last of them."""
        for source in sources:
            version = self.version(source)
            self.compiled[version.agent] = compile_version(version, self.kinds)
            self.served[version.agent] = Served(version, deployed=deployed)
        self._repository = None
        return next(reversed(self.compiled.values()))

    def clear(self) -> None:
        """Serves nothing any more; the model answers as it did at first, there are no secrets."""
        self.compiled.clear()
        self.served.clear()
        self.others.clear()
        self.places.clear()
        self.model.label()
        self.secrets.given.values.clear()
        self.secrets.variables.clear()
        self.sources = ProjectSources(self.data)
        shutil.rmtree(self.data, ignore_errors=True)
        self._repository = None

    @property
    def repository(self) -> RepositoryDefinition:
        if self._repository is None:
            self._repository = self.definitions.get_repository_def()
        return self._repository

    @property
    def definitions(self) -> Definitions:
        """What a code location of these agents is when it is loaded."""
        with loading():
            return self.defs()

    def defs(self) -> Definitions:
        """As a project's `definitions.py`: what Dagster asks for, loading or rebuilding."""
        return agent_definitions(
            lambda: list(self.served.values()),
            self.stores.versions,
            self.kinds,
            self.resources,
            tester=DocumentTests(),
            others=lambda: list(self.others),
            place=lambda _, agent: self.places.get(agent),
        )

    def run(
        self, agent: str, input_: JsonObject | None = None, *, tags: Mapping[str, str] | None = None
    ) -> Ran:
        """Runs an agent's job from its beginning."""
        return self.execute(self.prepare(agent, input_, tags=tags))

    def partial(
        self,
        agent: str,
        *nodes: str,
        config: JsonObject | None = None,
        tags: Mapping[str, str] | None = None,
        job: str | None = None,
    ) -> Ran:
        """Materializes some of an agent's assets, by default under the agent's own job."""
        name = names.dagster_name(agent)
        return self.launch(
            job or names.job_name(agent),
            config={"ops": {name: {"config": config}}} if config is not None else {},
            select=[f"{name}/{node}" for node in nodes],
            tags=tags,
        )

    def prepare(
        self, agent: str, input_: JsonObject | None = None, *, tags: Mapping[str, str] | None = None
    ) -> DagsterRun:
        """Creates a run of an agent's job."""
        config = run_config(names.dagster_name(agent), input_) if input_ is not None else {}
        return self.create(names.job_name(agent), config=config, tags=tags)

    def launch(self, job: str, **options: Any) -> Ran:
        """Creates a run and executes it; see `create`."""
        return self.execute(self.create(job, **options))

    def create(
        self,
        job: str,
        *,
        config: Mapping[str, Any],
        select: Iterable[str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> DagsterRun:
        """Has Dagster check and create a run.

        Args:
            job: Its name.
            config: The run config.
            select: `agent/node` of each asset to materialize; None for all.
            tags: More tags.
        """
        definition = self.repository.get_job(job)
        return self.instance.create_run_for_job(
            definition,
            run_config={**config, "loggers": QUIET},
            asset_selection=(
                {AssetKey(key.split("/")) for key in select} if select is not None else None
            ),
            tags={**definition.run_tags, **(tags or {})},
        )

    def execute(self, run: DagsterRun) -> Ran:
        """Executes a created run."""
        for _ in self.stepwise(run):
            pass
        return self.ran(run.run_id)

    def stepwise(self, run: DagsterRun) -> Iterator[DagsterEvent]:
        """Executes a created run from one event to the next."""
        job = InMemoryJob(self.repository.get_job(run.job_name))
        return execute_run_iterator(job, run, self.instance)

    def pretend_started(self, job: str, requests: Iterable[RunRequest]) -> None:
        """Writes a run for each request, and executes none."""
        for request in requests:
            tags = {**self.repository.get_job(job).run_tags, **request.tags}
            tags["dagster/run_key"] = str(request.run_key)
            self.instance.add_run(DagsterRun(job, tags=tags, status=DagsterRunStatus.STARTED))

    def reexecute(self, ran: Ran, strategy: ReexecutionStrategy) -> Ran:
        """Executes a run again, as the UI's "Re-execute" does."""
        served.at_work[:] = [self]
        origin = LoadableTargetOrigin(module_name=served.__name__, attribute="defs")
        with loading(), in_process_test_workspace(self.instance, origin) as workspace:
            (location,) = workspace.code_locations
            (repository,) = location.get_repositories()
            job = location.get_job(
                JobSubsetSelector(
                    location_name=location.name,
                    repository_name=repository,
                    job_name=ran.run.job_name,
                    op_selection=None,
                    asset_selection=ran.run.asset_selection,
                )
            )
            run = self.instance.create_reexecuted_run(
                request_context=workspace,
                parent_run=ran.run,
                code_location=location,
                remote_job=job,
                strategy=strategy,
                use_parent_run_tags=True,
            )
        return self.execute(run)

    def ran(self, run_id: str) -> Ran:
        """What is recorded of a run."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        values = {n: o for n, o in self.stores.steps.all(run_id).items() if not n.startswith("$")}
        records = self.instance.get_records_for_run(run_id).records
        ids = [record.storage_id for record in records]
        return Ran(run, ids, [record.event_log_entry for record in records], values)


def step_name(step_key: str) -> str:
    """The node behind a step's key."""
    name = step_key.rpartition(".")[2]
    return name if name == START else name.removeprefix("_")
