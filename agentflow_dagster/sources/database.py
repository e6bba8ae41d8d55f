"""Rows as events: what a query finds at and beyond a high-water mark, each row once.

The query asks for rows at the mark too (`>= :since`), since rows may be added that share it. The
cursor keeps the mark and the keys of the rows seen at it, so that those rows are not given again.
A row whose mark is below one that was read already is never seen: a mark must not go backwards.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import time
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from uuid import UUID

from agentflow_dagster.errors import SourceError
from agentflow_dagster.ports.events import Polled, SourceEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import sqlalchemy as sa

    from agentflow_dagster.spec.triggers import DatabaseWatch
    from agentflow_dagster.spec.values import JsonObject, JsonValue

MAX_KEYS = 20_000
"""Most rows that may share one mark; the cursor keeps the key of each."""
_MAX_ROW_BYTES = 1_000_000

_Row: TypeAlias = "Mapping[str, Any]"
_Mark: TypeAlias = str | int | float | datetime | date | Decimal


@dataclass(frozen=True, slots=True)
class DatabaseSource:
    """One database trigger.

    Args:
        url: SQLAlchemy's, with its password.
        watch: The trigger's part of the document.
    """

    url: str
    watch: DatabaseWatch

    def poll(self, cursor: JsonValue, *, limit: int, seconds: float) -> Polled:
        """Rows that were not seen yet, in order of mark and key.

        Raises:
            SourceError: the database cannot be asked, or the query lacks the mark or the key. The
                message has no password in it.
        """
        import sqlalchemy as sa
        from sqlalchemy.exc import SQLAlchemyError

        deadline = time.monotonic() + seconds
        place = _Place.read(cursor, self.watch.start)
        events: list[SourceEvent] = []
        try:
            engine = _engine(self.url, seconds)
        except (SQLAlchemyError, ImportError, ValueError, TypeError) as problem:
            raise SourceError(
                f"The database URL cannot be used ({type(problem).__name__}).",
                hint="It is one of SQLAlchemy's, and its driver is installed.",
            ) from None
        try:
            with engine.connect() as connection:
                for row in self._rows(connection, place.mark):
                    mark, key = self._told(row)
                    if place.holds(mark, key):
                        continue
                    events.append(_event(row, mark, key))
                    place = place.with_row(mark, key)
                    if len(events) == limit or time.monotonic() > deadline:
                        break
        except SQLAlchemyError as problem:
            cause = getattr(problem, "orig", None) or problem
            said = _first_line(cause)
            for secret in filter(None, [sa.make_url(self.url).password]):
                said = said.replace(secret, "***")
            raise SourceError(f"The database refused: {said}.") from None
        finally:
            engine.dispose()
        return Polled(events, place.written())

    def _rows(self, connection: sa.Connection, mark: _Mark) -> Iterator[_Row]:
        import sqlalchemy as sa

        watch = self.watch
        found = (
            sa.text(watch.query.strip().rstrip(";"))
            .columns(sa.column(watch.mark), sa.column(watch.key))
            .subquery("agentflow_rows")
        )
        ordered = (
            sa.select(sa.text("*"))
            .select_from(found)
            .order_by(found.c[watch.mark], found.c[watch.key])
        )
        streamed = connection.execution_options(stream_results=True, max_row_buffer=500)
        return (cast("_Row", row) for row in streamed.execute(ordered, {"since": mark}).mappings())

    def _told(self, row: _Row) -> tuple[_Mark, str]:
        for column in (self.watch.mark, self.watch.key):
            if column not in row:
                raise SourceError(
                    f"The query gives no column {column!r}; it gives {', '.join(row)}.",
                    hint="Select it, or name another one.",
                )
            if row[column] is None:
                raise SourceError(
                    f"A row has no {column!r}, so it has no place among the others.",
                    hint=f"Add `AND {column} IS NOT NULL` to the query.",
                )
        mark = row[self.watch.mark]
        if not isinstance(mark, str | int | float | datetime | date | Decimal):
            raise SourceError(
                f"The mark {self.watch.mark!r} is a {type(mark).__name__}.",
                hint="Take a column of times, numbers or texts.",
            )
        return mark, json.dumps(_plain(row[self.watch.key]))


@dataclass(frozen=True, slots=True)
class _Place:
    """The highest mark that was read, and the keys of the rows seen at it."""

    mark: _Mark
    keys: frozenset[str]

    @classmethod
    def read(cls, cursor: JsonValue, start: str | float) -> _Place:
        if cursor is None:
            return cls(start, frozenset())
        told = cast("JsonObject", cursor)
        mark = _unwritten(str(told["type"]), cast("str | int | float", told["mark"]))
        return cls(mark, frozenset(cast("list[str]", told["keys"])))

    def holds(self, mark: _Mark, key: str) -> bool:
        return mark == self.mark and key in self.keys

    def with_row(self, mark: _Mark, key: str) -> _Place:
        keys = self.keys | {key} if mark == self.mark else frozenset({key})
        if len(keys) > MAX_KEYS:
            raise SourceError(
                f"More than {MAX_KEYS:,} rows share the mark {mark!r}.",
                hint="Take a finer column as the mark.",
            )
        return _Place(mark, keys)

    def written(self) -> JsonObject:
        type_, mark = _written(self.mark)
        return {"type": type_, "mark": mark, "keys": cast("JsonValue", sorted(self.keys))}


def _engine(url: str, seconds: float) -> sa.Engine:
    """An engine for one poll, whose statements the database itself ends in time."""
    import sqlalchemy as sa

    parsed = sa.make_url(url)
    options: dict[str, Any] = {}
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg2")
        limit = f"-c statement_timeout={math.ceil(seconds * 1000)}"
        options = {"connect_timeout": max(1, math.ceil(seconds)), "options": limit}
    elif parsed.get_backend_name() == "sqlite":
        options = {"timeout": seconds}
    return sa.create_engine(
        parsed, poolclass=sa.NullPool, hide_parameters=True, connect_args=options
    )


def _event(row: _Row, mark: _Mark, key: str) -> SourceEvent:
    told = json.dumps([*_written(mark), key])
    digest = f"row-{hashlib.sha256(told.encode()).hexdigest()}"
    shown: JsonObject = {str(name): _plain(value) for name, value in row.items()}
    if len(json.dumps(shown)) > _MAX_ROW_BYTES:
        return SourceEvent(digest, {"row": {}}, rejected=f"Row {key} has over 1 MB.")
    return SourceEvent(digest, {"row": shown})


def _written(mark: _Mark) -> tuple[str, str | int | float]:
    match mark:
        case datetime():
            return "datetime", mark.isoformat()
        case date():
            return "date", mark.isoformat()
        case Decimal():
            return "decimal", str(mark)
        case _:
            return "plain", mark


def _unwritten(type_: str, mark: str | float) -> _Mark:
    match type_:
        case "datetime":
            return datetime.fromisoformat(str(mark))
        case "date":
            return date.fromisoformat(str(mark))
        case "decimal":
            return Decimal(str(mark))
        case _:
            return mark


def _plain(value: Any) -> JsonValue:
    """A column's value as JSON: times in ISO 8601, what has no number of JSON as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            near = float(value)
            return near if math.isfinite(near) and Decimal(repr(near)) == value else str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case memoryview():
            return base64.b64encode(cast("memoryview[int]", value)).decode()
        case dict():
            return {str(k): _plain(v) for k, v in cast("dict[Any, Any]", value).items()}
        case list() | tuple():
            return [_plain(v) for v in cast("list[Any]", value)]
        case UUID():
            return str(value)
        case _ if hasattr(value, "isoformat"):
            return str(value.isoformat())
        case _:
            return str(value)


def _first_line(problem: object) -> str:
    return str(problem).strip().partition("\n")[0].rstrip(".")
