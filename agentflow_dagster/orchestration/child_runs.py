"""Runs of other agents that a step asks for: real Dagster runs, in the process of the asking one.

A child run is created beside its parent, linked by tags and metadata both ways, and executed at
once in a thread: it waits for no queue, in which a parent would wait for its own child's place.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from dagster import DagsterEventType, DagsterRunStatus, Definitions, RunsFilter
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from agentflow_dagster.engine.agent_calls import call_input, require_end
from agentflow_dagster.engine.outputs import agent_outputs
from agentflow_dagster.engine.spending import usage_of
from agentflow_dagster.errors import RunError
from agentflow_dagster.graph.agent_references import parse_reference
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.cancellation import CURRENT, Cancellation
from agentflow_dagster.orchestration.run_config import run_config
from agentflow_dagster.orchestration.run_status import brought_up
from agentflow_dagster.orchestration.spent import told_ancestors
from agentflow_dagster.ports.agents import AgentOutcome
from agentflow_dagster.ports.stores import VersionHash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dagster import DagsterInstance, DagsterRun, JobDefinition, OpExecutionContext

    from agentflow_dagster.graph.agent_references import AgentReference
    from agentflow_dagster.orchestration.compile import CompiledAgent
    from agentflow_dagster.ports.agents import AgentCall
    from agentflow_dagster.ports.stores import Version, VersionStore
    from agentflow_dagster.stores import Stores

_EARLIER = [
    DagsterRunStatus.SUCCESS,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
]

Place: TypeAlias = "Callable[[VersionStore, str], str | None]"
"""Names the code location of an agent; None where it is that of whoever runs it."""


def nowhere_else(versions: VersionStore, agent: str) -> None:
    """Where there is one code location: every agent is in that of whoever runs it."""


@dataclass(frozen=True, slots=True)
class Peers:
    """The agents that there are beside one, and how a version is compiled.

    Args:
        versions: By agent.
        compile: Checks and compiles a version; raises DocumentError where it cannot be read.
        place: The code location of an agent; None where it is that of whoever runs it.
    """

    versions: Mapping[str, Version]
    compile: Callable[[Version], CompiledAgent]
    place: Place = nowhere_else


def version_of(reference: str, peers: Peers, stores: Stores) -> Version:
    """The version that a reference means.

    Raises:
        RunError: there is none.
    """
    parsed = parse_reference(reference)
    if parsed is None:
        raise RunError(f"{reference!r} names no agent.", retryable=False)
    if parsed.digest is not None:
        found = stores.versions.get(VersionHash(parsed.digest))
    else:
        found = peers.versions.get(parsed.name)
    if found is None or not _answers(found, parsed):
        raise RunError(
            f"There is no agent {reference!r} here.",
            hint=f"The agents are: {', '.join(sorted(peers.versions))}. Deploy it first.",
            retryable=False,
        )
    return found


class ChildRuns:
    """Runs agents for the steps of one run.

    Args:
        context: Dagster's, of the step that asks.
        peers: The agents that there are.
    """

    def __init__(self, context: OpExecutionContext, peers: Peers) -> None:
        self._context = context
        self._peers = peers

    async def run(self, call: AgentCall) -> AgentOutcome:
        """Runs an agent to its end; cancelling the awaiting task cancels the run."""
        _configure_logging_once(self._instance)
        cancellation = Cancellation()
        started: list[DagsterRun] = []
        # A pool of its own: a child must not wait for a thread that its siblings hold.
        with ThreadPoolExecutor(1, thread_name_prefix="child-run") as thread:
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(thread, self._run, call, cancellation, started)
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                for run in started:
                    self._instance.report_run_canceling(run)
                cancellation.cancel()
                await asyncio.wait([work])
                work.exception()
                raise

    def _run(
        self, call: AgentCall, cancellation: Cancellation, started: list[DagsterRun]
    ) -> AgentOutcome:
        CURRENT.set(cancellation)
        stores: Stores = self._context.resources.stores.open()
        version = version_of(call.agent, self._peers, stores)
        chain = self._chain(version.agent)
        compiled = self._peers.compile(version)
        run = self._earlier(call, version)
        if run is not None and run.status == DagsterRunStatus.SUCCESS:
            return self._outcome(compiled, run, stores)
        if run is None:
            place = self._peers.place(stores.versions, version.agent)
            run = self._create(compiled, call, chain, place)
        started.append(run)
        goes_on = run.status == DagsterRunStatus.STARTED
        job = InMemoryJob(self._job(compiled))
        for _ in execute_run_iterator(job, run, self._instance, resume_from_failure=goes_on):
            pass
        ended = self._instance.get_run_by_id(run.run_id)
        assert ended is not None
        if ended.status != DagsterRunStatus.SUCCESS:
            raise self._failure(ended, version.agent)
        return self._outcome(compiled, ended, stores)

    @property
    def _instance(self) -> DagsterInstance:
        return self._context.instance

    def _chain(self, agent: str) -> list[str]:
        """The agents above the run and the run's own; refuses what would never end."""
        tags = self._context.run.tags
        chain = [*filter(None, tags.get(names.CHAIN_TAG, "").split(",")), tags[names.AGENT_TAG]]
        require_end(agent, chain)
        return chain

    def _earlier(self, call: AgentCall, version: Version) -> DagsterRun | None:
        """The run that an earlier attempt of the step brought to its end, or one that was under way
        when the process of both died."""
        tags = {names.CALL_TAG: call.key, names.VERSION_TAG: version.hash}
        wanted = RunsFilter(tags=tags, statuses=_EARLIER)
        found = next(iter(self._instance.get_runs(wanted, limit=1)), None)
        found = brought_up(found.run_id, self._instance) if found is not None else None
        return found if found is not None and found.status in _EARLIER else None

    def _create(
        self, compiled: CompiledAgent, call: AgentCall, chain: list[str], place: str | None
    ) -> DagsterRun:
        plan = compiled.plan
        given = call_input(plan, call)
        llm = call.llm.model_dump(mode="json", by_alias=True, exclude_none=True)
        tags = {
            names.PARENT_RUN_TAG: call.run_id,
            **told_ancestors(self._context.run.tags),
            names.PARENT_NODE_TAG: call.node,
            names.CALL_TAG: call.key,
            names.CHAIN_TAG: ",".join(chain),
            names.TRIGGER_TAG: "agent",
            **({names.LLM_TAG: json.dumps(llm)} if llm else {}),
            **({names.MEMORY_TAG: str(call.memory_bytes)} if call.memory_bytes else {}),
        }
        parent = self._context.run.remote_job_origin
        job = self._job(compiled)
        return self._instance.create_run_for_job(
            job,
            run_config=run_config(names.dagster_name(plan.agent.name), given),
            tags={**job.run_tags, **tags},
            remote_job_origin=_job_origin(parent, job.name, place) if parent else None,
        )

    def _job(self, compiled: CompiledAgent) -> JobDefinition:
        definitions = Definitions(
            assets=compiled.assets,
            jobs=[compiled.job],
            resources=dict(self._context.job_def.resource_defs),
        )
        return definitions.resolve_job_def(names.job_name(compiled.plan.agent.name))

    def _outcome(self, compiled: CompiledAgent, run: DagsterRun, stores: Stores) -> AgentOutcome:
        kept = stores.steps.all(run.run_id)
        input_ = cast("Any", kept[names.INPUT].value)
        environment = self._context.resources.secrets.environment()
        agent = compiled.plan.agent
        return AgentOutcome(
            run_id=run.run_id,
            outputs=agent_outputs(agent, run.run_id, input_, kept, environment),
            usage=tuple(
                usage
                for step in compiled.plan.steps
                if step.name in kept
                for usage in usage_of(kept[step.name].facts)
            ),
        )

    def _failure(self, run: DagsterRun, agent: str) -> RunError:
        events = self._instance.all_logs(run.run_id, of_type=DagsterEventType.STEP_FAILURE)
        said = [_said(entry.dagster_event) for entry in events if entry.dagster_event]
        told = "; ".join(said) or f"it is {run.status.value}"
        return RunError(f"Run {run.run_id} of {agent!r} failed: {told}", hint="Open that run.")


def _job_origin(parent: RemoteJobOrigin, job: str, place: str | None) -> RemoteJobOrigin:
    """Where the UI finds a job: in its own code location, or in that of the run that runs it."""
    repository = parent.repository_origin
    if place is not None and place != repository.code_location_origin.location_name:
        elsewhere = RegisteredCodeLocationOrigin(place)
        repository = RemoteRepositoryOrigin(elsewhere, repository.repository_name)
    return RemoteJobOrigin(repository, job)


def _configure_logging_once(instance: DagsterInstance) -> None:
    """Keeps the log handlers of `dagster.yaml`, which Dagster would set up at each run's start.

    Setting them up holds the lock of Python's logging and waits for those of all handlers, one of
    which a run beside it holds while it waits for the first (SQLAlchemy logs): neither goes on.
    """
    if "get_yaml_python_handlers" not in vars(instance):
        handlers = instance.get_yaml_python_handlers()
        vars(instance)["get_yaml_python_handlers"] = lambda: handlers


def _answers(version: Version, reference: AgentReference) -> bool:
    """Whether a version is what a reference with a tag asks for."""
    if version.agent != reference.name:
        return False
    if reference.tag is None or reference.digest is not None:
        return True
    tag = cast("Mapping[str, object]", version.document["metadata"]).get("tag")
    return reference.tag in {tag, str(version.number)}


def _said(event: Any) -> str:
    error = event.step_failure_data.user_failure_data
    text = error.description if error and error.description else event.step_failure_data.error
    node = str(event.step_key).rpartition(".")[2]
    return f"{node}: {getattr(text, 'message', text)}".strip()
