"""Dagster's events as text: written once by Dagster, and filled in for each run.

To make an event of Dagster's objects and to serialize it takes some 70 microseconds, and a run has
dozens. All but a few places of the text are the same in every run of a version in this process.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from dagster import DagsterRunMetadataValue, MarkdownMetadataValue, MetadataValue
from dagster._core.execution.plan.outputs import StepOutputData, StepOutputHandle
from dagster._serdes import serialize_value
from dagster_shared.utils.timing import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dagster import EventLogEntry

RUN_ID = "${run_id}"
AT = 86_399.0078125
"""Stand in an entry that a form is made of, for the run and the time (Unix seconds)."""
TOOK = 359_999_000.25
"""Stands there for a duration, in milliseconds."""
METADATA = {"${metadata}": MetadataValue.text("${metadata}")}
TAGS = {"agentflow-tags": "agentflow-tags"}
"""Stand there for an event's metadata, and an asset's tags."""

_ENTRY = r'{"__class__": "EventMetadataEntry", [^\[\]]*?"label": "\${metadata}"}'
_STAND_INS = (
    (re.compile(re.escape(f'"{RUN_ID}"')), "run_id"),
    (re.compile(re.escape(repr(AT))), "at"),
    (re.compile(re.escape(repr(TOOK))), "duration"),
    (re.compile(re.escape(format_duration(TOOK))), "took"),
    (re.compile(rf"\[{_ENTRY}\]"), "metadata"),
    (re.compile(re.escape(json.dumps(TAGS))), "tags"),
)
_MARK = "\ue000"
"""Around the names of holes while a form is made: Dagster escapes such characters in its JSON."""


@dataclass(frozen=True, slots=True)
class Form:
    """One event of every run.

    Args:
        type: Dagster's name of it; None for a line of log.
        step_key, asset_key: What it is about.
        parts: Its text, each second part the name of what stands there.
    """

    type: str | None
    step_key: str | None
    asset_key: str | None
    parts: tuple[str, ...]

    @classmethod
    def of(cls, entry: EventLogEntry) -> Form:
        """The form of an event in which `RUN_ID`, `AT` and others stand for what differs."""
        text = serialize_value(entry)
        for pattern, name in _STAND_INS:
            text = pattern.sub(f"{_MARK}{name}{_MARK}", text)
        event = entry.dagster_event
        asset = event.asset_key if event else None
        return cls(
            type=event.event_type_value if event else None,
            step_key=entry.step_key,
            asset_key=asset.to_string() if asset else None,
            parts=tuple(text.split(_MARK)),
        )

    def filled(self, **holes: str) -> str:
        """The text of one event.

        Args:
            holes: JSON, but `took`, which stands inside a text.
        """
        parts = list(self.parts)
        parts[1::2] = [holes[name] for name in parts[1::2]]
        return "".join(parts)


def metadata_text(metadata: Mapping[str, object]) -> str:
    """Metadata as it stands in an event's text."""
    return f"[{', '.join(_entry(label, value) for label, value in metadata.items())}]"


def _entry(label: str, value: object) -> str:
    kind = type(value)
    if kind not in _ENTRIES:
        return _one_entry(label, value)
    before, after = _around_value(kind, label)
    return f"{before}{_PLAIN[kind](value)}{after}"


@lru_cache(maxsize=1024)
def _around_value(kind: type, label: str) -> tuple[str, str]:
    before, between, after = _ENTRIES[kind]
    return before, f"{between}{json.dumps(label)}{after}"


_PLAIN: dict[type, Callable[[Any], str]] = {
    str: json.dumps,
    int: repr,
    float: json.dumps,
    MarkdownMetadataValue: lambda value: json.dumps(value.md_str),
    DagsterRunMetadataValue: lambda value: json.dumps(value.run_id),
}
"""A value of one of the known kinds as JSON."""


def _one_entry(label: str, value: object) -> str:
    """One entry of metadata as Dagster writes it."""
    of_output: Any = StepOutputData(StepOutputHandle("s"), metadata=_values({label: value}))
    text = serialize_value(of_output)
    entries = json.loads(text)["metadata_entries"]
    return json.dumps(entries[0])


def _values(metadata: Mapping[str, object]) -> Any:
    from dagster._core.definitions import metadata as dagster_metadata

    return cast("Any", dagster_metadata).normalize_metadata(metadata)


def _around(value: object, stand_in: str) -> tuple[str, str, str]:
    """The text of an entry before its value, up to its label, and after it."""
    text = _one_entry("${label}", value)
    before, rest = text.split(stand_in)
    between, after = rest.split('"${label}"')
    return before, between, after


_ENTRIES: dict[type, tuple[str, str, str]] = {
    str: _around("${value}", '"${value}"'),
    int: _around(918_273_645, "918273645"),
    float: _around(918_273_645.5, "918273645.5"),
    MarkdownMetadataValue: _around(MetadataValue.md("${value}"), '"${value}"'),
    DagsterRunMetadataValue: _around(MetadataValue.dagster_run("${value}"), '"${value}"'),
}


def record_text(text: str, id_: int) -> str:
    """An event with its id, as the table of assets keeps an asset's newest."""
    return f'{{"__class__": "EventLogRecord", "event_log_entry": {text}, "storage_id": {id_}}}'
