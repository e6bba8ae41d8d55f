"""Rows as events, on a real PostgreSQL: none lost and none doubled, equal marks included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from agentflow_dagster.errors import SourceError
from agentflow_dagster.sources import database
from agentflow_dagster.sources.database import DatabaseSource
from agentflow_dagster.spec.triggers import DatabaseWatch

if TYPE_CHECKING:
    from collections.abc import Generator

    from agentflow_dagster.ports.events import SourceEvent
    from agentflow_dagster.spec.values import JsonValue

QUERY = "SELECT id, at, note FROM orders WHERE at >= :since"


@pytest.fixture
def orders(empty_database_url: str) -> Generator[sa.Engine]:
    engine = sa.create_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(
            sa.text("CREATE TABLE orders (id int PRIMARY KEY, at timestamptz, note text)")
        )
    yield engine
    engine.dispose()


class Watch:
    """A database trigger; the cursor goes through JSON, as it does in the store."""

    def __init__(self, url: str, **options: Any) -> None:
        given = {"url": "x", "query": QUERY, "mark": "at", "key": "id", "start": "2026-01-01Z"}
        self.source = DatabaseSource(url, DatabaseWatch(**{**given, **options}))
        self.cursor: JsonValue = None

    def poll(self, limit: int = 100) -> list[SourceEvent]:
        polled = self.source.poll(self.cursor, limit=limit, seconds=10)
        self.cursor = json.loads(json.dumps(polled.cursor))
        return list(polled.events)

    def ids(self, limit: int = 100) -> list[Any]:
        rows: list[Any] = [event.event["row"] for event in self.poll(limit)]
        return [row["id"] for row in rows]


def url_of(engine: sa.Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def insert(engine: sa.Engine, *rows: tuple[int, str]) -> None:
    with engine.begin() as connection:
        for id_, at in rows:
            connection.execute(
                sa.text("INSERT INTO orders VALUES (:id, :at, 'n')"), {"id": id_, "at": at}
            )


def test_rows_come_once_in_the_marks_order(orders: sa.Engine) -> None:
    watch = Watch(url_of(orders))
    assert watch.ids() == []
    insert(orders, (2, "2026-02-01Z"), (1, "2026-03-01Z"), (9, "2025-01-01Z"))
    (first, _) = events = watch.poll()
    assert first.event["row"] == {"id": 2, "at": "2026-02-01T00:00:00+00:00", "note": "n"}
    assert len({e.key for e in events}) == 2
    assert watch.ids() == []


def test_rows_of_one_mark_are_neither_lost_nor_doubled(orders: sa.Engine) -> None:
    watch = Watch(url_of(orders))
    insert(orders, (5, "2026-02-01Z"), (7, "2026-02-01Z"))
    assert watch.ids() == [5, 7]
    insert(orders, (6, "2026-02-01Z"))  # its key is below one that was read
    assert watch.ids() == [6]
    insert(orders, (8, "2026-02-01Z"), (1, "2026-02-02Z"))
    assert watch.ids() == [8, 1]
    assert watch.ids() == []


def test_more_rows_of_one_mark_than_a_poll_takes(orders: sa.Engine) -> None:
    insert(orders, *((n, "2026-02-01Z") for n in range(25)))
    watch = Watch(url_of(orders))
    assert [watch.ids(10) for _ in range(4)] == [
        list(range(10)),
        list(range(10, 20)),
        list(range(20, 25)),
        [],
    ]


def test_a_row_that_is_changed_is_an_event_again(orders: sa.Engine) -> None:
    watch = Watch(url_of(orders))
    insert(orders, (1, "2026-02-01Z"))
    (first,) = watch.poll()
    with orders.begin() as connection:
        connection.execute(sa.text("UPDATE orders SET at = '2026-02-02Z'"))
    (second,) = watch.poll()
    assert first.key != second.key


@pytest.mark.parametrize(
    ("type_", "marks", "start"),
    [
        ("int", ["1", "2", "10"], 0),
        ("numeric", ["1.10", "1.2", "10"], 0),
        ("date", ["'2026-01-02'", "'2026-01-03'", "'2026-01-11'"], "2026-01-01"),
        ("timestamp", ["'2026-01-02'", "'2026-01-03'", "'2026-01-11'"], "2026-01-01"),
        ("text", ["'a'", "'b'", "'c'"], ""),
        ("float8", ["1.5", "2.5", "1e3"], -1.5),
    ],
)
def test_marks_of_every_type_survive_the_store(
    orders: sa.Engine, type_: str, marks: list[str], start: str | float
) -> None:
    with orders.begin() as connection:
        connection.execute(
            sa.text(f"CREATE TABLE t (m {type_}, id uuid DEFAULT gen_random_uuid())")
        )
    query = "SELECT * FROM t WHERE m >= :since;"
    watch = Watch(url_of(orders), query=query, mark="m", key="id", start=start)
    for mark in marks:
        with orders.begin() as connection:
            connection.execute(sa.text(f"INSERT INTO t VALUES ({mark}), ({mark})"))
        assert len(watch.poll()) == 2
        assert watch.poll() == []


def test_sqlite(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE orders (id int, at int, note text)"))
        connection.execute(sa.text("INSERT INTO orders VALUES (1, 4, 'a'), (2, 4, NULL)"))
    watch = Watch(url, start=0)
    assert watch.ids() == [1, 2]
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO orders VALUES (3, 4, 'a')"))
    engine.dispose()
    assert watch.ids() == [3]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mark": "att"}, "att"),
        ({"query": "SELECT id FROM nowhere WHERE 1 >= :since"}, "nowhere"),
        ({"query": "SELECT id, NULL AS at FROM orders WHERE at >= :since"}, "has no 'at'"),
        ({"query": "SELECT id, at FROM orders WHERE at >= :since AND :other"}, "other"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(
    orders: sa.Engine, options: dict[str, Any], said: str
) -> None:
    insert(orders, (1, "2026-02-01Z"))
    with pytest.raises(SourceError, match=said):
        Watch(url_of(orders), **options).poll()


def test_a_query_writes_nothing(orders: sa.Engine) -> None:
    insert(orders, (1, "2026-02-01Z"))
    query = "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone WHERE at >= :since"
    with pytest.raises(SourceError):
        Watch(url_of(orders), query=query).poll()
    with orders.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM orders")) == 1


@pytest.mark.parametrize(
    "url",
    ["nonsense", "postgresql://u:geheim123@127.0.0.1:1/x", "nosuch+driver://u:geheim123@h/x"],
)
def test_no_password_is_shown(url: str) -> None:
    with pytest.raises(SourceError) as raised:
        Watch(url).poll()
    assert "geheim123" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_too_many_rows_of_one_mark(orders: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MAX_KEYS", 3)
    insert(orders, *((n, "2026-02-01Z") for n in range(4)))
    with pytest.raises(SourceError, match="More than 3 rows share the mark"):
        Watch(url_of(orders)).poll()


def test_a_row_over_a_megabyte_is_rejected(orders: sa.Engine) -> None:
    with orders.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO orders VALUES (1, '2026-02-01Z', repeat('x', 1000001))")
        )
    watch = Watch(url_of(orders))
    (event,) = watch.poll()
    assert "over 1 MB" in event.rejected
    assert watch.poll() == []
