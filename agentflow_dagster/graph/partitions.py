"""Partitions: their dates, keys and number are sound, every start says which one it is for, and
`run` shows it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from agentflow_dagster.graph import templates
from agentflow_dagster.spec.diagnostics import Diagnostic, error, nearest, pointer, warning
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.partitions import Cut, Dimension, Partitions, TimePartitions
    from agentflow_dagster.spec.triggers import Trigger
    from agentflow_dagster.spec.values import JsonObject, JsonSchema

MAX_KEYS = 100_000
"""What Dagster's guide on partitions recommends as the most for an asset."""
_TEXT: JsonSchema = {"type": "string"}
_DAYS: dict[Cut, float] = {"hourly": 1 / 24, "daily": 1, "weekly": 7, "monthly": 28}
_PLACE = ("spec", "partitions")


def run_schema(agent: Agent) -> JsonSchema:
    """What expressions see as `run`."""
    known: dict[str, JsonSchema] = {"id": _TEXT, "agent": _TEXT}
    partitions = agent.spec.partitions
    if partitions is not None:
        known["partition"] = _TEXT
        if partitions.multi is not None:
            named = dict.fromkeys(partitions.multi, _TEXT)
            known["partition_keys"] = {"type": "object", "properties": named}
        if partitions.by_time:
            known |= {"partition_start": _TEXT, "partition_end": _TEXT}
    return {"type": "object", "properties": known}


def by_parameter(shown: JsonObject) -> JsonObject:
    """What `run` shows of its partition, by the names of the inputs and parameters that have it."""
    names = {"partition": "partition_key"}
    return {names.get(name, name): value for name, value in shown.items()}


def with_partition(schema: JsonSchema, given: JsonObject, shown: JsonObject) -> JsonObject:
    """A run's input with its partition in the inputs of these names, unless it says them itself.

    The launchpad fills defaults in: one that stands there counts as not said.

    Args:
        schema: The input's JSON Schema.
        given: The input, not completed.
        shown: What `run` shows of the partition.
    """
    known = properties(schema)
    added = {
        name: value
        for name, value in by_parameter(shown).items()
        if name in known
        and given.get(name, known[name].get("default")) == known[name].get("default")
    }
    return {**given, **added}


def check_partitions(agent: Agent) -> Iterator[Diagnostic]:
    """Everything that can be wrong with an agent's partitions."""
    partitions = agent.spec.partitions
    if partitions is None:
        return
    dimensions = partitions.dimensions
    found: list[Diagnostic] = []
    for name, dimension in dimensions.items():
        found += _check_dimension(dimension, (*_PLACE, *(["multi", name] if name else [])))
    if partitions.multi is not None:
        found += _check_multi(dimensions)
    yield from found
    if not found:
        yield from _check_number(dimensions)
    yield from _check_required(agent)


def check_partition(
    agent: Agent, trigger: Trigger, path: tuple[str, ...], scope: Mapping[str, JsonSchema]
) -> Iterator[Diagnostic]:
    """Whether a trigger says which partition its runs are for, as the agent is cut."""
    partitions, said = agent.spec.partitions, trigger.partition
    place = pointer(*path, "partition")
    if partitions is None:
        if said is not None:
            message = "The agent has no partitions."
            hint = "Take this out, or add `spec.partitions`."
            yield error("AF427", message, pointer=place, hint=hint)
        return
    if said is None:
        if _needs_partition(trigger, partitions):
            message = "The agent is partitioned, and this trigger does not say for which partition."
            hint = 'Add `partition: "{{event.…}}"` to the trigger.'
            yield error("AF426", message, pointer=pointer(*path), hint=hint)
        return
    named = set(partitions.multi) if partitions.multi is not None else None
    if (set(said) if isinstance(said, dict) else None) != named:
        hint = f"Give {' and '.join(sorted(named))}, each its key." if named else "Give one text."
        yield error(
            "AF426", "This is not a key of the agent's partitions.", pointer=place, hint=hint
        )
        return
    for text in templates.find(cast("str", said), (*path, "partition")):
        found, problems = templates.check_text(text, scope)
        yield from problems
        if not problems:
            yield from templates.check_fit(text.path, found, _TEXT)


def _needs_partition(trigger: Trigger, partitions: Partitions) -> bool:
    """A schedule is for the last window that is over, or for all of a fixed list."""
    if trigger.kind == "manual":
        return False
    fixed = partitions.by_time or partitions.static is not None
    growing = any(d.dynamic for d in partitions.dimensions.values())
    return trigger.kind != "schedule" or not fixed or growing


def _check_dimension(dimension: Dimension, path: tuple[str, ...]) -> Iterator[Diagnostic]:
    if dimension.time is not None:
        yield from _check_time(*dimension.time, path)
    for key, count in Counter(dimension.static or ()).items():
        place = pointer(*path, "static")
        if count > 1:
            message = f"The key {key!r} stands here {count} times."
            yield error("AF421", message, pointer=place, hint="Keep one.")
        if "..." in key:
            message = f"The key {key!r} holds `...`, by which Dagster writes ranges."
            yield error("AF421", message, pointer=place, hint="Write it otherwise.")


def _check_time(cut: Cut, time: TimePartitions, path: tuple[str, ...]) -> Iterator[Diagnostic]:
    try:
        ZoneInfo(time.timezone)
    except (KeyError, ValueError, OSError):
        from zoneinfo import available_timezones

        yield error(
            "AF402",
            f"There is no time zone {time.timezone!r}.",
            pointer=pointer(*path, cut, "timezone"),
            hint=nearest(time.timezone, available_timezones()),
        )
    moments: dict[str, datetime] = {}
    for name, told in (("start", time.start), ("end", time.end)):
        place = pointer(*path, cut, name)
        try:
            if told is not None:
                moments[name] = moment(told)
        except ValueError:
            hint = "Name a day that its month has."
            yield error("AF420", f"There is no {told}.", pointer=place, hint=hint)
        if told is not None and "T" in told and cut != "hourly":
            message = f"{cut} partitions begin at midnight."
            yield error("AF420", message, pointer=place, hint="Write the day alone.")
    if len(moments) == 2 and moments["end"] <= moments["start"]:
        message = f"They end ({time.end}) before they begin ({time.start})."
        place = pointer(*path, cut, "end")
        yield error("AF420", message, pointer=place, hint="Give a later end, or none.")


def _check_multi(dimensions: Mapping[str, Dimension]) -> Iterator[Diagnostic]:
    place = pointer(*_PLACE, "multi")
    if len(dimensions) != 2:
        message = f"Dagster cuts by two dimensions, and here are {len(dimensions)}."
        hint = "Put two into one list of keys, or use one dimension alone."
        yield error("AF422", message, pointer=place, hint=hint)
    if sum(one.time is not None for one in dimensions.values()) > 1:
        message = "More than one dimension is time."
        yield error("AF422", message, pointer=place, hint="Keep one of them.")


def _check_number(dimensions: Mapping[str, Dimension]) -> Iterator[Diagnostic]:
    """Windows without an end are counted up to now: they grow past any bound some day, and an agent
    that is deployed must not stop for it."""
    number, grows = 1, False
    for one in dimensions.values():
        if one.time is not None:
            cut, time = one.time
            grows = grows or time.end is None
            end = moment(time.end) if time.end else datetime.now(UTC)
            days = (end - moment(time.start)).total_seconds() / 86400
            number *= max(1, int(days / _DAYS[cut]))
        else:
            number *= len(one.static or ("",))
    if number > MAX_KEYS:
        message = f"These are about {number:,} partitions; Dagster is made for {MAX_KEYS:,}."
        hint = "Begin later, or cut coarser."
        tell, code = (warning, "AF424") if grows else (error, "AF423")
        yield tell(code, message, pointer=pointer(*_PLACE), hint=hint)


def _check_required(agent: Agent) -> Iterator[Diagnostic]:
    schema = cast("JsonSchema", agent.spec.inputs)
    known = properties(schema)
    for name in cast("list[str]", schema.get("required") or []):
        if "default" not in known.get(name, {}):
            yield error(
                "AF425",
                f"The input {name!r} is required, and a backfill of partitions gives none.",
                pointer=pointer("spec", "inputs"),
                hint=f"Give {name!r} a default, or read `run.partition` in its place.",
            )


def moment(told: str) -> datetime:
    """A start or end as a time; its zone is said elsewhere.

    Raises:
        ValueError: there is no such day.
    """
    return datetime.fromisoformat(told).replace(tzinfo=UTC)
