"""Triggers in Dagster: a schedule per schedule trigger, and one sensor per agent over its inbox.

The sensor asks the sources of file, database and connector triggers first: what they find goes
through the inbox as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dagster import (
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
from agentflow_dagster.orchestration.input_config import run_config
from agentflow_dagster.orchestration.polling import Asking, Poller

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dagster import DagsterInstance, ScheduleEvaluationContext

    from agentflow_dagster.orchestration.compile import CompiledAgent
    from agentflow_dagster.ports.stores import Inbox, InboxEvent
    from agentflow_dagster.spec.values import JsonObject

RUN_KEY_TAG = "dagster/run_key"
_BATCH = 100


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
        minimum_interval_seconds=1,
        default_status=DefaultSensorStatus.RUNNING if running else DefaultSensorStatus.STOPPED,
        description=f"Starts a run for every {'event' if polled else 'accepted webhook call'} of "
        f"{agent.name}.",
        required_resource_keys={"stores", "secrets", *(["sources"] if polled else [])},
    )


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
    """No cursor: an event is pending until a run with its key exists, so that neither a daemon that
    dies between the tick and the run nor transactions that commit out of order can lose one, and
    Dagster's run key keeps it from being started twice."""
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
        pending = inbox.pending(agent.name, limit=_BATCH)
        started = _runs_of(context, agent.name, pending) if pending else {}
        inbox.settle(started)
        environment = resources.secrets.environment()
        requests: list[RunRequest] = []
        for event in pending:
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


def _runs_of(
    context: SensorEvaluationContext, agent: str, pending: Sequence[InboxEvent]
) -> dict[int, str]:
    """The run of each event that already has one."""
    keys = {event.run_key: event.id for event in pending}
    records = context.instance.get_run_records(
        RunsFilter(tags={RUN_KEY_TAG: list(keys), names.AGENT_TAG: agent})
    )
    return {
        keys[record.dagster_run.tags[RUN_KEY_TAG]]: record.dagster_run.run_id
        for record in records
        if record.dagster_run.tags[RUN_KEY_TAG] in keys
    }


def _request(
    compiled: CompiledAgent,
    event: InboxEvent,
    environment: Mapping[str, str],
    instance: DagsterInstance,
) -> RunRequest:
    agent = compiled.plan.agent
    given: JsonObject = event_input(agent, event.trigger, event.event, environment)
    key: str | None = None
    if agent.spec.partitions is not None:
        said = event_partition(agent, event.trigger, event.event, environment)
        chosen = partitions.asked(agent.spec.partitions, said or "")
        partitions.add_keys(instance, chosen.grows)
        key = chosen.key
    return RunRequest(
        partition_key=key,
        run_key=event.run_key,
        run_config=run_config(names.dagster_name(agent.name), given),
        tags={names.TRIGGER_TAG: event.trigger},
    )
