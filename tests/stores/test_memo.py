"""Replies that are kept: in the database, and in memory within bounds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from sqlalchemy import event

from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.memo import MOST_BYTES, PostgresMemo
from tests.support.properties import OBJECTS, patiently

if TYPE_CHECKING:
    from collections.abc import Generator

    from agentflow_dagster.spec.values import JsonObject


@pytest.fixture
def engine(database_url: str) -> Generator[sa.Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@given(reply=OBJECTS)
@settings(
    patiently(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_put_comes_back_in_another_process(engine: sa.Engine, reply: JsonObject) -> None:
    async def put_and_get() -> None:
        memo = PostgresMemo(engine)
        key = f"{id(reply)}-{reply!r}"[:200].replace("\0", "")
        await memo.put(key, "triage", reply)
        assert await memo.get(key) == await PostgresMemo(engine).get(key) == reply

    asyncio.run(put_and_get())


async def test_the_first_of_a_key_stays(engine: sa.Engine) -> None:
    one, other = PostgresMemo(engine), PostgresMemo(engine)
    assert await one.get("key") is None
    await one.put("key", "triage", {"text": "first"})
    await other.put("key", "triage", {"text": "second"})
    assert await other.get("key") == await one.get("key") == {"text": "first"}


async def test_one_that_is_too_large_is_not_kept(engine: sa.Engine) -> None:
    memo = PostgresMemo(engine)
    await memo.put("key", "triage", {"text": "x" * MOST_BYTES})
    assert await memo.get("key") is None


async def test_memory_keeps_what_was_used_last(engine: sa.Engine) -> None:
    asked: list[object] = []
    memo = PostgresMemo(engine, memory_bytes=250)
    for key in ("a", "b"):
        await memo.put(key, "triage", {"text": "x" * 100})
    await memo.get("a")
    await memo.put("c", "triage", {"text": "x" * 100})
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told))
    assert await memo.get("a")
    assert await memo.get("c")
    assert asked == []
    assert await memo.get("b")
    assert len(asked) == 1


async def test_without_a_database_nothing_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    memo = PostgresMemo(create_engine("postgresql://127.0.0.1:1/nobody"))
    await memo.put("key", "triage", {"text": "kept"})
    assert await memo.get("key") is None
    assert "is not kept" in caplog.text
