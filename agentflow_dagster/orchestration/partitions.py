"""An agent's partitions in Dagster: their definition, which one a run is of, which one is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, assert_never, cast

from dagster import (
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    Failure,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    MultiPartitionKey,
    MultiPartitionsDefinition,
    PartitionsDefinition,
    StaticPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.definitions.partitions.utils.base import INVALID_PARTITION_SUBSTRINGS
from dagster._core.storage.tags import PARTITION_NAME_TAG

from agentflow_dagster.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dagster import DagsterInstance, DagsterRun

    from agentflow_dagster.spec.partitions import Cut, Dimension, Partitions, TimePartitions
    from agentflow_dagster.spec.values import JsonObject

PARTITION = "$partition"
"""The node name under which what `run` shows of the run's partition is stored."""
PARTITION_TAG = PARTITION_NAME_TAG
MAX_DYNAMIC_KEYS = 10_000
"""Most keys that events may add to one dynamic set: Dagster reads all of them at every load."""
_MAX_KEY = 255


def definition(partitions: Partitions) -> PartitionsDefinition[str]:
    """Dagster's definition of an agent's partitions."""
    if partitions.multi is None:
        return _dimension(partitions)
    return cast(
        "PartitionsDefinition[str]",
        MultiPartitionsDefinition({n: _dimension(d) for n, d in partitions.multi.items()}),
    )


def _dimension(one: Dimension) -> PartitionsDefinition[str]:
    if one.time is not None:
        return _windows(*one.time)
    if one.static is not None:
        return StaticPartitionsDefinition(one.static)
    return DynamicPartitionsDefinition(name=one.dynamic)


def _windows(cut: Cut, time: TimePartitions) -> PartitionsDefinition[str]:
    start = datetime.fromisoformat(time.start)
    end = datetime.fromisoformat(time.end) if time.end else None
    match cut:
        case "hourly":
            return HourlyPartitionsDefinition(start, end, timezone=time.timezone)
        case "daily":
            return DailyPartitionsDefinition(start, end, timezone=time.timezone)
        case "weekly":
            return WeeklyPartitionsDefinition(start, end, timezone=time.timezone)
        case "monthly":
            return MonthlyPartitionsDefinition(start, end, timezone=time.timezone)
        case _:
            assert_never(cut)


@dataclass(frozen=True, slots=True)
class Asked:
    """One partition that a run is asked for.

    Args:
        key: As Dagster writes it; of two dimensions `a|b`, in the order of their names.
        tags: Of a run of it.
        grows: Keys that have to be there first, as pairs of a dynamic set and a key.
    """

    key: str
    tags: Mapping[str, str]
    grows: tuple[tuple[str, str], ...]


def asked(partitions: Partitions, given: str | Mapping[str, str]) -> Asked:
    """The partition of a key, or of a key for each dimension.

    Args:
        partitions: The agent's.
        given: A key; of two dimensions also `{a: …, b: …}`, `a=…,b=…`, or Dagster's own `…|…`.

    Raises:
        UsageError: there is no such partition.
    """
    keys = _by_dimension(partitions, given)
    for name, one in partitions.dimensions.items():
        _require(one, keys[name], f" of {name!r}" if name else "")
    key = str(MultiPartitionKey(keys) if partitions.multi is not None else keys[""])
    grows = tuple(
        (one.dynamic, keys[name]) for name, one in partitions.dimensions.items() if one.dynamic
    )
    # Dagster's own way to these tags would look dynamic keys up, which may not be there yet.
    dims = {f"{PARTITION_TAG}/{n}": k for n, k in keys.items()} if partitions.multi else {}
    return Asked(key, {PARTITION_TAG: key, **dims}, grows)


def _by_dimension(partitions: Partitions, given: str | Mapping[str, str]) -> dict[str, str]:
    names = sorted(partitions.dimensions)
    if not isinstance(given, str):
        keys = dict(given)
    elif partitions.multi is None:
        keys = {"": given}
    elif "=" in given:
        pairs = (part.partition("=") for part in given.split(","))
        keys = {name.strip(): key.strip() for name, _, key in pairs}
    else:
        keys = dict(zip(names, given.split("|"), strict=False))
    if sorted(keys) != names:
        raise UsageError(
            f"{given!r} is no partition.",
            hint=f"Write {','.join(f'{name}=KEY' for name in names)}."
            if partitions.multi
            else "Give one key.",
        )
    return keys


def _require(one: Dimension, key: str, where: str) -> None:
    if one.dynamic is not None:
        unfit = {*INVALID_PARTITION_SUBSTRINGS, "|", ",", "[", "]"}
        if not 0 < len(key) <= _MAX_KEY or any(sign in key for sign in unfit):
            raise UsageError(
                f"{key[:60]!r} cannot be a key{where}.",
                hint="It has 1 to 255 characters, none of them | , [ ] or a line break.",
            )
        return
    known = _dimension(one)
    try:
        found = known.has_partition_key(key)
    except ValueError:
        found = False
    if not found:
        first, last = known.get_first_partition_key(), known.get_last_partition_key()
        hint = f"They go from {first} to {last}." if first else "None is over yet."
        raise UsageError(f"There is no partition {key!r}{where}.", hint=hint)


def add_keys(instance: DagsterInstance, grows: Sequence[tuple[str, str]]) -> None:
    """Adds keys to dynamic sets where they are missing.

    Raises:
        UsageError: a set is full.
    """
    for name, key in grows:
        if instance.has_dynamic_partition(name, key):
            continue
        if len(instance.get_dynamic_partitions(name)) >= MAX_DYNAMIC_KEYS:
            raise UsageError(
                f"{name!r} has {MAX_DYNAMIC_KEYS:,} keys, and {key!r} is not among them.",
                hint="Delete keys that are done in Dagster, or cut coarser.",
            )
        instance.add_dynamic_partitions(name, [key])


def at_tick(partitions: Partitions, scheduled: datetime) -> list[str]:
    """The keys that a schedule without `partition` is for: the last window that is over at that
    time (with every key of the other dimension), or every key of a list, as Dagster's own
    `build_schedule_from_partitioned_job` has it."""
    made = definition(partitions)
    with partition_loading_context(effective_dt=scheduled):
        if isinstance(made, TimeWindowPartitionsDefinition):
            last = made.get_last_partition_key()
            return [last] if last is not None else []
        if isinstance(made, MultiPartitionsDefinition):
            time = made.time_window_dimension
            last = time.partitions_def.get_last_partition_key()
            if last is None:
                return []
            return [
                str(key)
                for key in made.get_multipartition_keys_with_dimension_value(time.name, last)
            ]
        return list(made.get_partition_keys())


def shown(partitions: Partitions | None, run: DagsterRun) -> JsonObject:
    """What `run` shows of the partition that a run is of; nothing where the agent has none.

    Raises:
        Failure: the run is of no single partition, or of one that there is not.
    """
    if partitions is None:
        return {}
    key = run.tags.get(PARTITION_TAG)
    if key is None:
        raise Failure(
            "The agent is partitioned, and this run is of no single partition.",
            metadata={"hint": "Choose a partition in the launchpad, or start a backfill."},
            allow_retries=False,
        )
    try:
        return shown_of(partitions, key)
    except UsageError as problem:
        raise Failure(str(problem), allow_retries=False) from None


def shown_of(partitions: Partitions, key: str) -> JsonObject:
    """What `run` shows of a partition.

    Raises:
        UsageError: there is no such partition.
    """
    keys = _by_dimension(partitions, key)
    told: JsonObject = {"partition": key}
    if partitions.multi is not None:
        told["partition_keys"] = {**keys}
    for name, one in partitions.dimensions.items():
        windows = _dimension(one)
        if isinstance(windows, TimeWindowPartitionsDefinition):
            try:
                window = windows.time_window_for_partition_key(keys[name])
            except ValueError:
                raise UsageError(f"There is no partition {key!r}.") from None
            told["partition_start"] = window.start.isoformat()
            told["partition_end"] = window.end.isoformat()
    return told
