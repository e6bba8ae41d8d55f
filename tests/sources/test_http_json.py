"""The connector `http.json` against a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.errors import SourceError, UsageError
from agentflow_dagster.sources import all_sources, builtin_sources
from agentflow_dagster.sources.http_json import HttpJson, HttpJsonConfig
from tests.support.loopback import Loopback, Reply

if TYPE_CHECKING:
    from collections.abc import Generator

    from agentflow_dagster.spec.values import JsonValue


@pytest.fixture
def replies() -> dict[str, Reply]:
    return {}


@pytest.fixture
def server(replies: dict[str, Reply]) -> Generator[Loopback]:
    with Loopback(replies) as opened:
        yield opened


def answer(items: JsonValue, **headers: str) -> Reply:
    return Reply(200, json.dumps(items), {"content-type": "application/json", **headers})


def poll(
    server: Loopback, cursor: JsonValue, *, limit: int = 100, seconds: float = 10.0, **config: Any
) -> tuple[list[str], JsonValue]:
    given = HttpJsonConfig(url=f"{server.url}/feed", **config)
    events, after = HttpJson().poll(cursor, given, limit=limit, seconds=seconds)
    return [str(event.event["key"]) for event in events], after


def test_items_come_once(server: Loopback, replies: dict[str, Reply]) -> None:
    replies["/feed"] = answer([{"id": 1, "t": "a"}, {"id": "x"}])
    keys, cursor = poll(server, None)
    assert keys == ["1", "x"]
    replies["/feed"] = answer([{"id": 2}, {"id": 1, "t": "b"}])
    assert poll(server, cursor)[0] == ["2"]


def test_the_etag_is_shown_and_304_changes_nothing(
    server: Loopback, replies: dict[str, Reply]
) -> None:
    replies["/feed"] = answer([{"id": 1}], etag='"v1"')
    _, cursor = poll(server, None)
    replies["/feed"] = Reply(304, "")
    assert poll(server, cursor) == ([], cursor)
    assert "if-none-match" not in server.requests[0].headers
    assert server.requests[1].headers["if-none-match"] == '"v1"'


def test_what_one_poll_does_not_take_comes_with_the_next(
    server: Loopback, replies: dict[str, Reply]
) -> None:
    replies["/feed"] = answer([{"id": n} for n in range(5)], etag='"v1"')
    taken: list[list[str]] = []
    cursor: JsonValue = None
    for _ in range(4):
        keys, cursor = poll(server, cursor, limit=2)
        taken.append(keys)
    assert taken == [["0", "1"], ["2", "3"], ["4"], []]
    # With a rest left, the server must not answer that nothing has changed.
    shown = ["if-none-match" in request.headers for request in server.requests]
    assert shown == [False, False, False, True]


def test_a_list_inside_and_another_key(server: Loopback, replies: dict[str, Reply]) -> None:
    replies["/feed"] = answer({"data": {"items": [{"ref": "a"}]}})
    assert poll(server, None, items="data.items", key="ref", headers={"x": "y"})[0] == ["a"]
    assert server.requests[0].headers["x"] == "y"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(500, "{}"), "answers 500"),
        (Reply(302, "", {"location": "http://127.0.0.1:1/"}), "answers 302"),
        (Reply(200, "<html>"), "not JSON"),
        (Reply(200, "{}"), "no list at its top"),
        (Reply(200, '[{"ID": 1}]'), "no 'id'"),
        (Reply(200, "[true]"), "no 'id'"),
    ],
)
def test_what_is_wrong_is_said(
    server: Loopback, replies: dict[str, Reply], reply: Reply, said: str
) -> None:
    replies["/feed"] = reply
    with pytest.raises(SourceError, match=said):
        poll(server, None)


def test_a_server_that_does_not_answer(server: Loopback, replies: dict[str, Reply]) -> None:
    replies["/feed"] = Reply(hang=True)
    with pytest.raises(SourceError, match="cannot be asked"):
        poll(server, None, seconds=0.1)


def test_plugins_add_connectors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(HttpJson):
        name = "other"

    class Entry:
        name, value = "other", "there:Other"

        def __init__(self, made: Any) -> None:
            self.made = made

        def load(self) -> Any:
            return self.made

    given: list[Any] = [Entry(Other)]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: given)
    assert set(all_sources()) == {"http.json", "other"} == {*builtin_sources(), "other"}
    for wrong, said in ((HttpJson, "which exists"), (dict, "is no event source")):
        given[:] = [Entry(wrong)]
        with pytest.raises(UsageError, match=said):
            all_sources()
