"""Triggers: their schedules and paths are sound, and their events make a whole input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from agentflow_dagster.graph import templates
from agentflow_dagster.spec.diagnostics import Diagnostic, error, nearest, pointer

if TYPE_CHECKING:
    from agentflow_dagster.spec.document import Agent, Schedule, Trigger
    from agentflow_dagster.spec.values import JsonSchema

_TEXTS: JsonSchema = {"type": "object", "additionalProperties": {"type": "string"}}
EVENT_SCHEMAS: dict[str, JsonSchema] = {
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
"""What `event` holds, by kind of trigger."""


def check_triggers(agent: Agent) -> Iterator[Diagnostic]:
    """Everything that can be wrong with an agent's triggers."""
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
                )
            paths.setdefault(key, name)
        yield from _check_input(agent, trigger, path)


def _check_schedule(schedule: Schedule, path: tuple[str, ...]) -> Iterator[Diagnostic]:
    from croniter import croniter

    if len(schedule.cron.split()) != 5 or not croniter.is_valid(schedule.cron):
        yield error(
            "AF401",
            f"{schedule.cron!r} is not a cron line.",
            pointer=pointer(*path, "schedule", "cron"),
            hint='Five fields: minute hour day month weekday, as in "0 9 * * 1-5".',
        )
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


def _check_input(agent: Agent, trigger: Trigger, path: tuple[str, ...]) -> Iterator[Diagnostic]:
    schema = cast("JsonSchema", agent.spec.inputs)
    properties = cast("dict[str, JsonSchema]", schema.get("properties") or {})
    text: JsonSchema = {"type": "string"}
    scope: dict[str, JsonSchema] = {
        "event": EVENT_SCHEMAS[trigger.kind],
        "env": {"type": "object", "properties": dict.fromkeys(agent.spec.env, text)},
    }
    for name, value in trigger.input.items():
        if properties and name not in properties:
            yield error(
                "AF405",
                f"The agent has no input {name!r}.",
                pointer=pointer(*path, "input", name),
                hint=nearest(name, properties),
            )
        for found in templates.find(value, (*path, "input", name)):
            result, problems = templates.check_text(found, scope)
            yield from problems
            why = templates.misfit(result, properties.get(name, {}))
            if value is found.text and not problems and why:
                yield error("AF206", f"{name} {why}.", pointer=pointer(*found.path))
    if trigger.kind == "manual":
        return
    for name in cast("list[str]", schema.get("required") or []):
        if name not in trigger.input and "default" not in properties.get(name, {}):
            yield error(
                "AF404",
                f"The input {name!r} is required, and this trigger does not give it.",
                pointer=pointer(*path),
                hint=f"Add `input: {{{name}: …}}` to the trigger.",
            )
