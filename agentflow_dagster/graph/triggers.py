"""Triggers: their schedules and paths are sound, and their events make a whole input."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from agentflow_dagster.graph import inputs, partitions, polled_triggers, templates
from agentflow_dagster.spec.diagnostics import Diagnostic, error, nearest, pointer
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.sources import SourceCatalogue
    from agentflow_dagster.spec.triggers import Schedule, Trigger
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

_TEXTS: JsonSchema = {"type": "object", "additionalProperties": {"type": "string"}}
_EVENTS: dict[str, JsonSchema] = {
    "webhook": {
        "type": "object",
        "properties": {
            "body": {},
            "headers": _TEXTS,
            "query": _TEXTS,
            "method": {"type": "string"},
            "path": {"type": "string"},
        },
    },
    "schedule": {"type": "object", "properties": {"scheduled_at": {"type": "string"}}},
    "manual": {"type": "object", "properties": {}},
}


def event_schema(trigger: Trigger, sources: SourceCatalogue | None) -> JsonSchema:
    """What `event` holds."""
    if trigger.polled is not None:
        return polled_triggers.event_schema(trigger.polled, sources)
    return _EVENTS[trigger.kind]


def check_triggers(agent: Agent, sources: SourceCatalogue | None) -> Iterator[Diagnostic]:
    """Everything that can be wrong with an agent's triggers.

    Args:
        agent: The document.
        sources: Every connector known here; None where that is not to be judged.
    """
    paths: dict[tuple[str, str], str] = {}
    for name, trigger in agent.spec.triggers.items():
        path = ("spec", "triggers", name)
        if trigger.schedule is not None:
            yield from _check_schedule(trigger.schedule, path)
        if trigger.webhook is not None:
            key = (trigger.webhook.method, trigger.webhook.path)
            if key in paths:
                yield error(
                    "AF403",
                    f"{key[0]} {key[1]} already starts {paths[key]!r}.",
                    pointer=pointer(*path, "webhook", "path"),
                    hint="Give one of them another path.",
                )
            paths.setdefault(key, name)
        if trigger.polled is not None:
            yield from polled_triggers.check(agent, trigger.polled, path, sources)
        text: JsonSchema = {"type": "string"}
        scope: dict[str, JsonSchema] = {
            "event": event_schema(trigger, sources),
            "env": {"type": "object", "properties": dict.fromkeys(agent.spec.env, text)},
        }
        yield from partitions.check_partition(agent, trigger, path, scope)
        yield from _check_input(agent, trigger, path, scope)


def _check_schedule(schedule: Schedule, path: tuple[str, ...]) -> Iterator[Diagnostic]:
    from croniter import CroniterBadDateError, croniter

    place = pointer(*path, "schedule", "cron")
    if len(schedule.cron.split()) != 5 or not croniter.is_valid(schedule.cron):
        hint = 'Five fields: minute hour day month weekday, as in "0 9 * * 1-5".'
        yield error("AF401", f"{schedule.cron!r} is not a cron line.", pointer=place, hint=hint)
    else:
        try:
            croniter(schedule.cron).get_next()
        except CroniterBadDateError:
            hint = "Name a day that its month has."
            yield error("AF401", f"{schedule.cron!r} never comes.", pointer=place, hint=hint)
    try:
        ZoneInfo(schedule.timezone)
    except (KeyError, ValueError, OSError):
        from zoneinfo import available_timezones

        yield error(
            "AF402",
            f"There is no time zone {schedule.timezone!r}.",
            pointer=pointer(*path, "schedule", "timezone"),
            hint=nearest(schedule.timezone, available_timezones()),
        )


def _check_input(
    agent: Agent, trigger: Trigger, path: tuple[str, ...], scope: dict[str, JsonSchema]
) -> Iterator[Diagnostic]:
    schema = cast("JsonSchema", agent.spec.inputs)
    known = properties(schema)
    if isinstance(trigger.input, str):
        # What it gives is known when it fires, and is judged then.
        for whole in templates.find(trigger.input, (*path, "input")):
            result, problems = templates.check_text(whole, scope)
            yield from problems
            if not problems:
                yield from templates.check_fit(whole.path, result, {"type": "object"})
        return
    for name, value in trigger.input.items():
        place = (*path, "input", name)
        if known and name not in known:
            message = f"The agent has no input {name!r}."
            yield error("AF405", message, pointer=pointer(*place), hint=nearest(name, known))
        else:
            yield from _check_value(name, value, schema, scope, place)
    if trigger.kind == "manual":
        return
    for name in cast("list[str]", schema.get("required") or []):
        if name not in trigger.input and "default" not in known.get(name, {}):
            yield error(
                "AF404",
                f"The input {name!r} is required, and this trigger does not give it.",
                pointer=pointer(*path),
                hint=f"Add `input: {{{name}: …}}` to the trigger.",
            )


def _check_value(
    name: str,
    value: JsonValue,
    schema: JsonSchema,
    scope: dict[str, JsonSchema],
    path: tuple[str, ...],
) -> Iterator[Diagnostic]:
    """Expressions by their type; a value without any is judged whole."""
    texts = list(templates.find(value, path))
    for text in texts:
        result, problems = templates.check_text(text, scope)
        yield from problems
        if value is text.text and not problems:
            yield from templates.check_fit(text.path, result, properties(schema).get(name, {}))
    if not texts and (said := inputs.mismatch(schema, name, value)):
        yield error(
            "AF406",
            f"The input {name!r} does not meet the agent's schema: {said}.",
            pointer=pointer(*path),
            hint="Change the value, or the schema under spec.inputs.",
        )
