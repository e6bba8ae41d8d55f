"""The server itself: its scripts, what it remembers, many at once, and its end."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from agentflow_dagster.testing import Answer, Damaged, ModelServer, Refusal

if TYPE_CHECKING:
    from agentflow_dagster.testing import Asked, Reply

BODY = {"model": "small", "messages": [{"role": "user", "content": "Hello?"}]}


def post(server: ModelServer, provider: str = "openai", **more: object) -> httpx.Response:
    url = f"{server.base(provider)}/chat/completions"
    return httpx.post(url, json={**BODY, **more}, headers={"X-Who": "me"})


def said(response: httpx.Response) -> str:
    return response.json()["choices"][0]["message"]["content"]


def test_answers_are_given_in_order_and_the_last_one_again(server: ModelServer):
    server.answer_with([Answer("one"), Refusal(503, "Busy."), Answer("three")])
    statuses = [post(server).status_code for _ in range(4)]
    assert statuses == [200, 503, 200, 200]
    assert [received.reply for received in server.received[2:]] == [Answer("three")] * 2


def test_each_provider_may_have_a_script(server: ModelServer):
    server.answer_with({"first": [Refusal(500)], "second": [Answer("a"), Answer("b")]})
    assert post(server, "first").status_code == 500
    assert [said(post(server, "second")) for _ in range(2)] == ["a", "b"]
    assert said(post(server, "third")) == "ok"


def test_a_function_answers_what_is_asked(server: ModelServer):
    def echo(asked: Asked) -> Reply:
        return Answer(f"You said {asked.text}")

    server.answer_with(echo)
    assert said(post(server)) == "You said Hello?"


def test_what_was_received(server: ModelServer):
    post(server)
    received = server.received[0]
    assert received.path == "/openai/v1/chat/completions"
    assert received.headers["x-who"] == "me"
    assert received.body == BODY
    server.answer_with([Answer()], forget=True)
    assert server.received == ()
    assert server.bill().calls == 0


def test_a_script_without_replies_is_refused(server: ModelServer):
    with pytest.raises(ValueError, match="at least one reply"):
        server.answer_with({"openai": []})


def test_a_path_that_nobody_serves(server: ModelServer):
    assert httpx.post(f"{server.url}/openai/v1/embeddings", json={}).status_code == 404
    assert httpx.get(f"{server.base('openai')}/models").json()["data"] == []
    assert server.received == ()


def test_refusals_bill_nothing(server: ModelServer):
    server.answer_with([Refusal(500), Answer(tokens_in=7), Damaged("empty")])
    for _ in range(3):
        post(server)
    assert (server.bill().calls, server.bill().tokens_in) == (2, 17)


async def test_a_client_that_leaves_is_noticed(server: ModelServer):
    server.answer_with([Damaged("stall")])
    async with httpx.AsyncClient() as client:
        asking = asyncio.create_task(
            client.post(f"{server.base('openai')}/chat/completions", json=BODY)
        )
        await asyncio.to_thread(server.wait_until, lambda calls: len(calls) == 1)
        assert server.received[0].state == "open"
        asking.cancel()
        await asyncio.to_thread(
            server.wait_until, lambda calls: [call.state for call in calls] == ["left"]
        )


def test_a_condition_that_does_not_hold_is_told(server: ModelServer):
    with pytest.raises(TimeoutError, match="does not hold"):
        server.wait_until(lambda calls: len(calls) == 1, seconds=0.05)


async def test_a_thousand_connections_at_once(server: ModelServer):
    together = asyncio.Event()
    server.answer_with([Answer("Hi.", delay=0.3)])
    body = b'{"model": "small", "messages": []}'
    head = (
        "POST /openai/v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    host, port = server.url.removeprefix("http://").split(":")

    async def one() -> bytes:
        reader, writer = await asyncio.open_connection(host, int(port))
        await together.wait()
        writer.write(head.encode() + body)
        try:
            return await reader.read()
        finally:
            writer.close()

    tasks = [asyncio.create_task(one()) for _ in range(1000)]
    together.set()
    replies = await asyncio.gather(*tasks)
    assert all(reply.startswith(b"HTTP/1.1 200") for reply in replies)
    assert server.bill().calls == 1000


def test_it_stops_though_calls_are_open_and_leaves_no_thread():
    before = threading.active_count()
    with ModelServer([Damaged("stall")]) as server:
        failed: list[Exception] = []

        def ask() -> None:
            try:
                post(server, stream=True)
            except httpx.HTTPError as error:
                failed.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        server.wait_until(lambda calls: len(calls) == 1)
    asking.join()
    assert len(failed) == 1
    assert threading.active_count() == before
