"""Who may come in, what becomes an event, and what is refused with which status."""

from __future__ import annotations

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from starlette.routing import Route

from agentflow_dagster.gateway.event import MAX_BODY_BYTES, MAX_DEPTH
from tests.conftest import renamed, run_on
from tests.gateway.conftest import TOKEN, FrontDoor

if TYPE_CHECKING:
    from collections.abc import Iterator

WRONG = [None, "wrong", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "é"]


def asked(front: FrontDoor) -> Iterator[tuple[str, str]]:
    """Every route of the application, so that a new one is not forgotten, but the liveness probe
    and callbacks, whose URLs nobody can guess."""
    for route in front.app.routes:
        assert isinstance(route, Route), f"{route} is of a kind that this test does not know"
        path = re.sub(r"\{.*?\}", "any/thing", route.path)
        for method in route.methods or ():
            if path != "/healthz" and not path.startswith("/callbacks/"):
                yield method, path


def speak(front: FrontDoor, data: bytes, *, end: bool = False) -> bytes:
    """What comes back for bytes that no well-behaved client sends."""
    host, port = str(urlsplit(front.url).hostname), int(urlsplit(front.url).port or 0)
    with (
        socket.create_connection((host, port), timeout=60) as connection,
        suppress(OSError),  # it hung up in the middle, which is an answer too
    ):
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def request(*lines: str, token: str = TOKEN) -> bytes:
    told = [*lines, "Host: x", f"Authorization: Bearer {token}", "Connection: close", "", ""]
    return "\r\n".join(told).encode("latin-1")


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("token", WRONG)
def test_nobody_comes_in_without_the_token(front: FrontDoor, token: str | None) -> None:
    routes = list(asked(front))
    assert len(routes) >= 3
    for method, path in routes:
        headers = {} if token is None else {b"authorization": b"Bearer " + token.encode("utf-8")}
        answer = front.call(method, path, token=None, headers=headers, content=b"{}")
        assert (answer.status_code, method, path) == (401, method, path)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text


@pytest.mark.parametrize("shown", [f"Basic {TOKEN}", TOKEN, f"Bearer  {TOKEN}x", "Bearer"])
def test_only_a_bearer_token_counts(front: FrontDoor, shown: str) -> None:
    answer = front.call("GET", "/readyz", token=None, headers={"Authorization": shown})
    assert answer.status_code == 401


def test_the_liveness_probe_tells_nothing_else(front: FrontDoor) -> None:
    answer = front.call("GET", "/healthz", token=None)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "server" not in answer.headers


def test_readiness_lists_the_webhooks(front: FrontDoor) -> None:
    served = front.call("GET", "/readyz").json()["webhooks"]
    assert {(s["method"], s["path"], s["agent"]) for s in served} == {
        ("POST", "/hooks/any/thing", "anything"),
        ("PUT", "/hooks/any/thing", "anything"),
        ("POST", "/hooks/particular", "particular"),
    }


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/docs", "/redoc", "/openapi.json", "/metrics", "/graphql", "/healthz/", "/readyz/"),
        *("//healthz", "/hooks", "/HOOKS/any/thing", "/.env", "/favicon.ico"),
    ],
)
def test_there_is_nothing_else(front: FrontDoor, path: str) -> None:
    answer = front.call("GET", path)
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


@pytest.mark.parametrize(
    "path",
    [
        *("/hooks/", "/hooks//any/thing", "/hooks/any/thing/", "/hooks/any%2Fthing%00"),
        *("/hooks/../readyz", "/hooks/any/../any/thing", "/hooks/%2e%2e/%2e%2e/etc/passwd"),
        *("/hooks/any/thing%FF", "/hooks/any/thing;x=1", "/hooks/" + "a/" * 2000),
    ],
)
def test_only_the_very_path_is_a_webhook(front: FrontDoor, path: str) -> None:
    answer = speak(front, request(f"POST {path} HTTP/1.1", "Content-Length: 2")[:-2] + b"\r\n{}")
    assert status(answer) == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PATCH", "DELETE", "TRACE", "CALL"])
def test_other_methods_are_refused(front: FrontDoor, method: str) -> None:
    assert front.call(method, "/hooks/any/thing").status_code == 405
    assert front.call("PUT", "/hooks/particular", json={}).status_code == 404


def test_an_accepted_call_is_an_event(front: FrontDoor) -> None:
    answer = front.call(
        *("POST", "/hooks/any/thing?a=1&b=%C3%A9&a=2"),
        json={"text": "Grüße"},
        headers={"Cookie": "session=1", "X-Api-Key": "k", "X-Request-Id": "r-1", "User-Agent": "t"},
    )
    id_ = answer.json()["event_id"]
    assert answer.json() == {"event_id": id_, "run_key": f"inbox-{id_}", "duplicate": False}
    assert front.stored(answer) == {
        "body": {"text": "Grüße"},
        "headers": {"content-type": "application/json", "user-agent": "t", "x-request-id": "r-1"},
        "query": {"a": "2", "b": "é"},
        "method": "POST",
        "path": "/any/thing",
    }


@pytest.mark.parametrize(
    ("kind", "content", "body"),
    [
        ("application/json", b"", None),
        ("application/json", b"[1, 2.5, null]", [1, 2.5, None]),
        ("Application/JSON; charset=utf-8", b'"x"', "x"),
        ("application/vnd.github+json", b"{}", {}),
        ("application/x-www-form-urlencoded", b"a=1&b=%20", "a=1&b=%20"),
        ("text/plain; charset=utf-8", "ÿ{".encode(), "ÿ{"),
        ("application/json", rb'"\u0000 and \ud83d\ude00 and \\ud800"', "\0 and 😀 and \\ud800"),
        ("text/plain", b"a\0b", "a\0b"),
        ("application/json", b"123456789012345678901234567890", 123456789012345678901234567890),
        ("application/json", b'{"a": 1, "a": 2}', {"a": 2}),
        ("application/json", b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, ...),
    ],
)
def test_a_body_is_read_by_its_type(front: FrontDoor, kind: str, content: bytes, body: Any) -> None:
    answer = front.call(
        *("POST", "/hooks/any/thing"), content=content, headers={"Content-Type": kind}
    )
    assert front.stored(answer)["body"] == (json.loads(content) if body is ... else body)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/json", b"{"),
        ("application/json", rb'"\ud800"'),
        ("application/json", rb'{"\uDC00": 1}'),
        ("application/json", b"{'a': 1}"),
        ("application/json", b"NaN"),
        ("application/json", b"[-Infinity]"),
        ("application/json", b"[1e400]"),
        ("application/json", b"1" * 5000),
        ("application/json", b"\xff\xfe{\x00}\x00"),
        ("application/json; charset=utf-16", '{"a": 1}'.encode("utf-16")),
        ("application/json", b"\xef\xbb\xbf{}"),
        ("application/json", b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)),
        ("application/json", b"[" * 100_000 + b"]" * 100_000),
        ("application/json", b'{"a":' * 100_000),
        ("text/plain; charset=latin-1", b"\xe9"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n\xff\r\n--x--"),
        ("application/octet-stream", b"\x80"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(
    front: FrontDoor, kind: str, content: bytes
) -> None:
    answer = front.call(
        *("POST", "/hooks/any/thing"), content=content, headers={"Content-Type": kind}
    )
    assert answer.status_code == 400
    assert len(answer.json()["detail"]) < 300


def test_a_large_call_is_refused(front: FrontDoor) -> None:
    def post(**options: Any) -> int:
        return front.call("POST", "/hooks/any/thing", **options).status_code

    def chunks() -> Iterator[bytes]:
        yield from [b"x" * 100_000] * 11

    text = {"Content-Type": "text/plain"}
    assert post(content=b"x" * MAX_BODY_BYTES, headers=text) == 202
    assert post(content=b"x" * (MAX_BODY_BYTES + 1), headers=text) == 413
    assert post(content=chunks(), headers=text) == 413


@pytest.mark.parametrize("told", ["1000001", "9" * 5000, "99999999999999999999"])
def test_a_call_that_says_it_is_large_is_refused_unread(front: FrontDoor, told: str) -> None:
    lines = ("POST /hooks/any/thing HTTP/1.1", f"Content-Length: {told}")
    assert status(speak(front, request(*lines))) in {400, 413}


@pytest.mark.parametrize(
    "data",
    [
        b"POST /hooks/any/thing HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /hooks/any/thing HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST\r\n\r\n",
        b"POST /hooks/any/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz?" + b"a" * 1_000_000,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 200_000,
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\0" * 100,
    ],
)
def test_what_is_not_http_is_refused(front: FrontDoor, data: bytes) -> None:
    answer = speak(front, data, end=True)
    assert not answer or status(answer) in {400, 404, 431}
    assert front.call("GET", "/healthz").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": 5, "number": 1},
        {"text": "x"},
        {"text": "x", "number": "NaN"},
        {"text": "x", "number": {}},
        {"text": "x" * 200_000, "number": 1},
        [],
        "text",
        None,
    ],
)
def test_a_call_that_is_no_input_is_refused(front: FrontDoor, body: Any) -> None:
    before = front.stores.inbox.pending("particular")
    answer = front.call("POST", "/hooks/particular", content=json.dumps(body))
    assert answer.status_code == 422
    assert 0 < len(answer.json()["detail"]) <= 2_000
    assert front.stores.inbox.pending("particular") == before


def test_an_expression_takes_any_text(front: FrontDoor) -> None:
    for text in ("\0", "😀", "{{1}}", "'\"\\", "\u202e", ""):
        answer = front.call("POST", "/hooks/particular", json={"text": text, "number": 1 << 40})
        assert answer.status_code == 202, (text, answer.text)


@pytest.mark.parametrize("key", ["", "k" * 501])
def test_an_idempotency_key_has_a_length(front: FrontDoor, key: str) -> None:
    answer = front.call("POST", "/hooks/any/thing", headers={"Idempotency-Key": key})
    assert answer.status_code == 400


@pytest.mark.parametrize("key", ["k" * 500, "ÿ é", "'; DROP TABLE agentflow.inbox; --"])
def test_a_repeated_key_is_one_event(front: FrontDoor, key: str) -> None:
    def post() -> dict[str, Any]:
        headers = {b"idempotency-key": key.encode("latin-1")}
        return front.call("POST", "/hooks/any/thing", json={}, headers=headers).json()

    before = front.stores.inbox.pending("anything", limit=1000)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(), range(16)))
    assert len({answer["event_id"] for answer in answers}) == 1
    assert [answer["duplicate"] for answer in answers].count(False) == 1
    assert len(front.stores.inbox.pending("anything", limit=1000)) == len(before) + 1


def test_a_lost_store_is_told_without_its_name(front: FrontDoor) -> None:
    name = str(sa.make_url(front.database_url).database)
    others = renamed(front.database_url, "postgres")
    assert front.call("POST", "/hooks/any/thing", json={}).status_code == 202
    run_on(others, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    run_on(
        others, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    for path in ("/hooks/any/thing", "/hooks/no/such"):
        answer = front.call("POST", path, json={})
        if answer.status_code != 404:  # which webhooks there are was known a moment ago
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json() == {"detail": "The store cannot be reached; try again."}
    assert front.call("POST", "/hooks/any/thing", json={}).status_code == 503
    assert front.call("GET", "/healthz", token=None).status_code == 200
    run_on(others, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert front.call("POST", "/hooks/any/thing", json={}).status_code == 202
