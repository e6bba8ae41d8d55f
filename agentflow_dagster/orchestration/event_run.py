"""The run of an accepted event: its config, tags and partition, whoever asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow_dagster.graph.events import event_input, event_partition
from agentflow_dagster.orchestration import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.orchestration.partitions import Asked
    from agentflow_dagster.ports.stores import InboxEvent
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject

RUN_KEY_TAG = "dagster/run_key"
SENSOR_TAG = "dagster/sensor_name"


@dataclass(frozen=True, slots=True)
class EventRun:
    """What an event's run is given.

    Args:
        input: The agent's input.
        tags: Beside those that every run of the agent has, and those of Dagster's sensors.
        partition: Which partition it is of, where the agent has some.
    """

    input: JsonObject
    tags: Mapping[str, str]
    partition: Asked | None = field(default=None)


def event_run(agent: Agent, event: InboxEvent, environment: Mapping[str, str]) -> EventRun:
    """What the run of an event is given.

    Raises:
        AgentFlowError: the event cannot become an input, or is of a partition that there is not.
    """
    given = event_input(agent, event.trigger, event.event, environment)
    tags = {names.TRIGGER_TAG: event.trigger}
    if agent.spec.partitions is None:
        return EventRun(given, tags)
    # Imports Dagster, for which the front door need not wait where no agent has partitions.
    from agentflow_dagster.orchestration.partitions import asked

    said = event_partition(agent, event.trigger, event.event, environment)
    return EventRun(given, tags, asked(agent.spec.partitions, said or ""))


def sensor_tags(agent: str, event: InboxEvent) -> dict[str, str]:
    """Tags by which Dagster files a run under the agent's sensor, and knows it by its key."""
    return {RUN_KEY_TAG: event.run_key, SENSOR_TAG: names.sensor_name(agent)}
