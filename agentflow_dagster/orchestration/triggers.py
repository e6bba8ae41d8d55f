"""Triggers in Dagster: a schedule per schedule trigger, and one sensor per agent over its inbox.

The sensor asks the sources of file, database and connector triggers first: what they find goes
through the inbox as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dagster import (
    DagsterRunStatus,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
)

from agentflow_dagster.graph.events import event_input, event_partition
from agentflow_dagster.orchestration import names, partitions
from agentflow_dagster.orchestration.event_run import RUN_KEY_TAG, event_run
from agentflow_dagster.orchestration.polling import Asking, Poller
from agentflow_dagster.orchestration.run_config import run_config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dagster import DagsterInstance, ScheduleEvaluationContext

    from agentflow_dagster.orchestration.compile import CompiledAgent
    from agentflow_dagster.ports.stores import Inbox, InboxEvent
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject

CATCH_UP_SECONDS = 30
"""How often a sensor looks whose agent's events are started as they come in: it starts what was
left behind. The daemon asks one sensor after the other, 24 a second at most on two cores."""
_OFTEN_SECONDS = 1
"""For sensors that find or start the events themselves: at every round of Dagster's daemon."""
_BATCH = 100
_CLAIMANT = "sensor"


def schedules(compiled: CompiledAgent, *, running: bool) -> list[ScheduleDefinition]:
    """The agent's schedules; `running` says whether they are on unless somebody turns them off."""
    status = DefaultScheduleStatus.RUNNING if running else DefaultScheduleStatus.STOPPED
    return [
        ScheduleDefinition(
            name=names.schedule_name(compiled.plan.agent.name, name),
            job=compiled.job,
            cron_schedule=trigger.schedule.cron,
            execution_timezone=trigger.schedule.timezone,
            execution_fn=_tick(compiled, name),
            default_status=status,
            required_resource_keys={"secrets"},
        )
        for name, trigger in compiled.plan.agent.spec.triggers.items()
        if trigger.schedule is not None
    ]


def sensor(compiled: CompiledAgent, *, running: bool) -> SensorDefinition | None:
    """The agent's sensor over its inbox; None where no trigger of it needs one."""
    agent = compiled.plan.agent
    triggers = agent.spec.triggers.values()
    if not any(trigger.queued for trigger in triggers):
        return None
    polled = any(trigger.polled for trigger in triggers)
    return SensorDefinition(
        name=names.sensor_name(agent.name),
        job=compiled.job,
        evaluation_fn=_sense(compiled),
        minimum_interval_seconds=_interval(agent),
        default_status=DefaultSensorStatus.RUNNING if running else DefaultSensorStatus.STOPPED,
        description=f"Starts a run for every {'event' if polled else 'accepted webhook call'} of "
        f"{agent.name}.",
        required_resource_keys={"stores", "secrets", *(["sources"] if polled else [])},
    )


def _interval(agent: Agent) -> int:
    """Seconds between two looks of the agent's sensor."""
    cut = agent.spec.partitions
    grows = cut is not None and any(one.dynamic for one in cut.dimensions.values())
    polled = any(trigger.polled for trigger in agent.spec.triggers.values())
    # Keys that events add are counted by the sensor, so that it starts these runs itself.
    return _OFTEN_SECONDS if polled or grows else CATCH_UP_SECONDS


def _tick(compiled: CompiledAgent, name: str) -> Any:
    agent = compiled.plan.agent

    def tick(context: ScheduleEvaluationContext) -> Iterator[RunRequest | SkipReason]:
        at = context.scheduled_execution_time
        event: JsonObject = {"scheduled_at": at.isoformat()}
        environment = cast("Any", context.resources).secrets.environment()
        config = run_config(
            names.dagster_name(agent.name), event_input(agent, name, event, environment)
        )
        tags = {names.TRIGGER_TAG: name}
        if agent.spec.partitions is None:
            yield RunRequest(run_key=at.isoformat(), run_config=config, tags=tags)
            return
        said = event_partition(agent, name, event, environment)
        if said is None:
            keys = partitions.at_tick(agent.spec.partitions, at)
        else:
            chosen = partitions.asked(agent.spec.partitions, said)
            partitions.add_keys(context.instance, chosen.grows)
            keys = [chosen.key]
        if not keys:
            yield SkipReason("No partition is over yet.")
        yield from [
            RunRequest(
                run_key=f"{at.isoformat()} {key}", run_config=config, tags=tags, partition_key=key
            )
            for key in keys
        ]

    return tick


def _sense(compiled: CompiledAgent) -> Any:
    """No cursor: an event is pending until its run was seen to begin, so that neither a daemon that
    dies between the tick and the run nor transactions that commit out of order can lose one. Events
    that somebody else has claimed are left to them until the claim has run out."""
    agent = compiled.plan.agent
    polled = any(trigger.polled for trigger in agent.spec.triggers.values())
    # Lasts as long as the definitions do, so that no source is asked twice at once.
    poller = Poller(agent)

    def sense(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        resources = cast("Any", context.resources)
        stores = resources.stores.open()
        inbox: Inbox = stores.inbox
        problems: list[str] = []
        if polled:
            sources, secrets = resources.sources.adapter(), resources.secrets.adapter()
            asking = Asking(stores.feeds, sources, secrets, resources.secrets.environment())
            problems = poller.poll(asking)
        for problem in problems:
            context.log.error(problem)
        claimed = inbox.claim_next(agent.name, _CLAIMANT, limit=_BATCH)
        started = _started(context, agent.name, claimed) if claimed else {}
        inbox.settle(started)
        requests: list[RunRequest] = []
        environment = resources.secrets.environment()
        for event in claimed:
            if event.id in started:
                continue
            try:
                requests.append(_request(compiled, event, environment, context.instance))
            except Exception as problem:  # noqa: BLE001 - it must not hold up the events behind it
                context.log.error(f"Event {event.id} cannot become an input: {problem}")
                inbox.reject(event.id, str(problem))
        if not requests:
            waits = "event" if polled else "webhook call"
            return SkipReason("\n".join([f"No {waits} is waiting.", *problems]))
        return SensorResult(run_requests=requests)

    return sense


def _started(
    context: SensorEvaluationContext, agent: str, claimed: Sequence[InboxEvent]
) -> dict[int, str]:
    """The run of each event that already has one.

    One that was made and never submitted is asked for again: Dagster finds it by its key, and
    submits it.
    """
    keys = {event.run_key: event.id for event in claimed}
    records = context.instance.get_run_records(
        RunsFilter(tags={RUN_KEY_TAG: list(keys), names.AGENT_TAG: agent})
    )
    runs = [r.dagster_run for r in records if r.dagster_run.tags[RUN_KEY_TAG] in keys]
    found = {
        keys[run.tags[RUN_KEY_TAG]]: run.run_id
        for run in runs
        if run.status != DagsterRunStatus.NOT_STARTED
    }
    made = {run.run_id for run in runs}
    # A run that a person has deleted is not made again.
    deleted = {e.id: e.run_id for e in claimed if e.run_id and e.run_id not in made}
    return {**deleted, **found}


def _request(
    compiled: CompiledAgent,
    event: InboxEvent,
    environment: Mapping[str, str],
    instance: DagsterInstance,
) -> RunRequest:
    asked = event_run(compiled.plan.agent, event, environment)
    if asked.partition is not None:
        partitions.add_keys(instance, asked.partition.grows)
    return RunRequest(
        partition_key=asked.partition.key if asked.partition else None,
        run_key=event.run_key,
        run_config=run_config(names.dagster_name(event.agent), asked.input),
        tags=asked.tags,
    )
