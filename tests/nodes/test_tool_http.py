"""`tool.http` against a real server: what it sends, what it gives, and what it never tells."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, cast

import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.tool_http import MAX_RESPONSE_BYTES, Http, HttpConfig
from tests.support.contexts import context
from tests.support.documents import codes, minimal
from tests.support.loopback import Loopback, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.spec.values import JsonObject, JsonValue

TEXT = {"content-type": "text/plain; charset=utf-8"}
KEPT = {"content-type": "application/json", "etag": '"1"'}
JSON = {**KEPT, "set-cookie": "id=1"}


@pytest.fixture
def server() -> Iterator[Loopback]:
    replies = {
        "/ok": Reply(201, '{"id": 7}', JSON),
        "/text": Reply(200, "grüezi", TEXT),
        "/latin": Reply(
            200, "é".encode("latin-1"), {"content-type": "text/plain; charset=latin-1"}
        ),
        "/odd-charset": Reply(200, "x", {"content-type": "text/plain; charset=nonsense"}),
        "/liar": Reply(200, "not json", JSON),
        "/empty": Reply(204, "", {}),
        "/moved": Reply(302, "", {"location": "/ok"}),
        "/missing": Reply(404, '{"error": "no such issue"}', JSON),
        "/slow-down": Reply(429, "later", {**TEXT, "retry-after": "3"}),
        "/broken": Reply(503, "", TEXT),
        "/large": Reply(200, b"x" * (MAX_RESPONSE_BYTES + 1), TEXT),
        "/full": Reply(200, b"x" * MAX_RESPONSE_BYTES, TEXT),
        "/bomb": Reply(200, gzip.compress(b"x" * 20_000_000), {**TEXT, "content-encoding": "gzip"}),
        "/hangs": Reply(hang=True),
    }
    with Loopback(replies) as running:
        yield running


async def call(
    url: str, *, attempt: int = 1, within: float = 5.0, **fields: JsonValue
) -> JsonObject:
    config = HttpConfig.model_validate({"url": url, **fields}, by_alias=True, by_name=False)
    done = await Http().run(context(attempt=attempt, timeout=within), config)
    assert done.port == "result"
    return cast("JsonObject", done.output)


async def refusal(url: str, *, within: float = 5.0, **fields: JsonValue) -> RunError:
    config = HttpConfig.model_validate({"url": url, **fields}, by_alias=True, by_name=False)
    with pytest.raises(RunError) as caught:
        await Http().run(context(timeout=within), config)
    return caught.value


class TestSending:
    async def test_json_headers_and_query(self, server: Loopback) -> None:
        given: JsonObject = {"title": "é", "n": [1, None]}
        query: JsonObject = {"page": 2, "all": True, "q": "a b&c"}
        headers: JsonObject = {"authorization": "Bearer t", "x-a": "1"}
        await call(f"{server.url}/ok", method="POST", json=given, query=query, headers=headers)
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/ok?page=2&all=true&q=a+b%26c")
        assert json.loads(request.body) == given
        assert request.headers["authorization"] == "Bearer t"
        assert request.headers["x-a"] == "1"
        assert request.headers["content-type"] == "application/json"

    async def test_a_body_is_sent_as_it_is(self, server: Loopback) -> None:
        await call(f"{server.url}/ok", method="PUT", body="a=1", headers={"content-type": "text/x"})
        (request,) = server.requests
        assert (request.body, request.headers["content-type"]) == (b"a=1", "text/x")

    async def test_a_query_in_the_url_stays(self, server: Loopback) -> None:
        await call(f"{server.url}/ok?a=1")
        assert server.requests[0].path == "/ok?a=1"

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_every_attempt_repeats_one_key(self, server: Loopback, method: str) -> None:
        for attempt in (1, 2, 3):
            await call(f"{server.url}/ok", method=method, attempt=attempt)
        assert {r.headers["idempotency-key"] for r in server.requests} == {"run-1-probe"}

    async def test_an_authors_own_key_is_kept(self, server: Loopback) -> None:
        await call(f"{server.url}/ok", method="POST", headers={"Idempotency-Key": "mine"})
        assert server.requests[0].headers["idempotency-key"] == "mine"

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_what_only_reads_carries_no_key(self, server: Loopback, method: str) -> None:
        await call(f"{server.url}/ok", method=method)
        assert "idempotency-key" not in server.requests[0].headers


class TestReplies:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/ok", {"status": 201, "headers": KEPT, "body": {"id": 7}}),
            ("/text", {"status": 200, "headers": TEXT, "body": "grüezi"}),
            ("/empty", {"status": 204, "headers": {}, "body": ""}),
        ],
    )  # fmt: skip
    async def test_what_it_gives(self, server: Loopback, path: str, expected: JsonObject) -> None:
        assert await call(server.url + path) == expected

    @pytest.mark.parametrize(
        ("path", "body"), [("/latin", "é"), ("/odd-charset", "x"), ("/liar", "not json")]
    )
    async def test_how_a_body_is_read(self, server: Loopback, path: str, body: str) -> None:
        assert (await call(server.url + path))["body"] == body

    async def test_redirects_are_told_and_not_followed(self, server: Loopback) -> None:
        found = await call(f"{server.url}/moved", headers={"authorization": "Bearer t"})
        assert (found["status"], found["headers"]) == (302, {"location": "/ok"})
        assert [request.path for request in server.requests] == ["/moved"]

    async def test_the_largest_reply(self, server: Loopback) -> None:
        assert len(cast("str", (await call(f"{server.url}/full"))["body"])) == MAX_RESPONSE_BYTES


class TestFailures:
    @pytest.mark.parametrize(
        ("path", "said", "retryable"),
        [
            ("/missing", '/missing answered 404 Not Found: {"error": "no such issue"}', False),
            ("/slow-down", "/slow-down answered 429 Too Many Requests: later", True),
            ("/broken", "/broken answered 503 Service Unavailable: (no text)", True),
        ],
    )
    async def test_a_status_of_400_and_above(
        self, server: Loopback, path: str, said: str, retryable: bool
    ) -> None:
        failure = await refusal(server.url + path)
        assert failure.message == f"GET {server.url}{said}"
        assert failure.retryable is retryable

    @pytest.mark.parametrize("path", ["/large", "/bomb"])
    async def test_a_reply_that_is_too_large(self, server: Loopback, path: str) -> None:
        failure = await refusal(server.url + path)
        assert failure.message == f"{server.url}{path} answered with more than 5,000,000 bytes."
        assert not failure.retryable

    async def test_nobody_listens(self) -> None:
        with Loopback({}) as gone:
            url = gone.url
        failure = await refusal(f"{url}/x?key=hunter22")
        assert failure.message.startswith(f"GET {url}/x failed: ")
        assert failure.retryable

    async def test_no_answer_in_time(self, server: Loopback) -> None:
        failure = await refusal(f"{server.url}/hangs", within=0.05)
        assert failure.message == f"GET {server.url}/hangs failed: ReadTimeout."
        assert failure.retryable

    @pytest.mark.parametrize("path", ["/missing", "/large", "/hangs"])
    async def test_no_query_and_no_password_is_in_a_message(
        self, server: Loopback, path: str
    ) -> None:
        url = server.url.replace("//", "//user:hunter22@") + path + "?key=hunter22"
        failure = await refusal(url, within=0.05, query={"more": "hunter22"})
        assert server.url in failure.message
        assert "hunter22" not in str(failure)
        assert "user" not in str(failure)

    @pytest.mark.parametrize(
        "url",
        ["", " ", "tracker/issues?key=hunter22", "ftp://user:hunter22@h/", "file:///etc/passwd", "http://",
         "http:///x", "http://[::1", "//h/x", "http:h"],
    )  # fmt: skip
    async def test_no_url(self, url: str) -> None:
        failure = await refusal(url or "?")
        assert "is not an http or https URL." in failure.message
        assert "hunter22" not in str(failure)
        assert not failure.retryable

    @pytest.mark.parametrize(
        ("fields", "url"),
        [
            ({"json": float("inf")}, "http://127.0.0.1:9/x"),
            ({"headers": {"x-a": "✓"}}, "http://127.0.0.1:9/x"),
            ({}, "http://127.0.0.1:99999/x"),
            ({}, "http://127.0.0.1:9/\x00"),
        ],
        ids=str,
    )
    async def test_what_cannot_be_sent_is_not_tried_again(
        self, fields: JsonObject, url: str
    ) -> None:
        failure = await refusal(url, method="POST", **fields)  # pyright: ignore[reportArgumentType]
        assert not failure.retryable
        assert "cannot be sent" in failure.message or "is not an http" in failure.message

    @pytest.mark.parametrize("value", ["a\r\nx-b: 2", "a\nb"])
    async def test_no_header_smuggles_another(self, server: Loopback, value: str) -> None:
        await refusal(f"{server.url}/ok", headers={"x-a": value})
        assert server.requests == []


def test_json_or_body() -> None:
    both: JsonObject = {"url": "http://h/", "json": {}, "body": "x"}
    assert codes(minimal({"a": {"kind": "tool.http", "with": both}})) == ["AF112"]


def test_what_its_output_is() -> None:
    nodes: JsonObject = {
        "call": {"kind": "tool.http", "with": {"url": "http://h/"}},
        "then": {
            "kind": "ai.chat",
            "with": {"prompt": "{{call.output.headers['etag']}} {{call.output.body.any.thing}}"},
            "when": "{{call.output.status == 200}}",
        },
    }
    assert codes(minimal(nodes)) == []
    assert codes(minimal(nodes, outputs={"x": "{{call.output.stats}}"})) == ["AF203"]
