"""The HTTP side of a server that stands in for providers: an ASGI application in a thread."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from agentflow_dagster.testing.answers import Answer, Damaged, Refusal
from agentflow_dagster.testing.protocols.reading import mapping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from uvicorn import Server
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.testing.answers import Reply
    from agentflow_dagster.testing.protocols import Asked, Event, WireProtocol

_WAITING = 4096
"""Connections that may wait to be accepted: thousands may call in the same moment."""

_KEPT_SECONDS = 600
"""How long an idle connection stays: one that ends just as it is used again looks like a fault."""


class Exchange:
    """One request and its reply."""

    def __init__(
        self,
        path: str,
        headers: Mapping[str, str],
        body: JsonObject,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
    ) -> None:
        self.path = path
        self.headers = headers
        self.body = body
        self.first_byte_at: float | None = None
        self._send = send
        # Once the body was read, the next message says that the client left.
        self._gone = asyncio.ensure_future(receive())

    @property
    def client_left(self) -> bool:
        return self._gone.done()

    async def pause(self, seconds: float | None) -> None:
        """Waits; not past the moment that the client leaves. None waits for that alone."""
        if seconds is None or seconds > 0:
            await asyncio.wait([self._gone], timeout=seconds)

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Sends the head."""
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def more(self, data: bytes) -> None:
        """Sends a piece of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self.first_byte_at = self.first_byte_at or time.perf_counter()

    async def finish(self) -> None:
        """Ends the body. Where it is not called the connection is closed without an end."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def close(self) -> None:
        self._gone.cancel()


class Thread:
    """Serves on an ephemeral port of 127.0.0.1, from a thread of its own.

    Args:
        answer: Carries out one exchange.
    """

    def __init__(self, answer: Callable[[Exchange], Awaitable[None]]) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_WAITING)
        self.port: int = self._socket.getsockname()[1]
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._run, name="model server", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._begun = threading.Event()

    def start(self) -> None:
        """Begins to answer. Who calls at once is served: the socket listens already."""
        self._thread.start()
        self._begun.wait()

    def stop(self) -> None:
        """Drops what is open, and returns once nothing runs any more."""
        if self._loop is not None and self._server is not None:
            self._server.should_exit = True
            self._loop.call_soon_threadsafe(self._drop)
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        import uvicorn

        config = uvicorn.Config(
            self._serve,
            http=_quiet_protocol(),
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            backlog=_WAITING,
            timeout_keep_alive=_KEPT_SECONDS,
        )
        self._server = uvicorn.Server(config)
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(self._until_stopped(self._server))

    async def _until_stopped(self, server: Server) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun.set()
        await server.serve(sockets=[self._socket])

    def _drop(self) -> None:
        for task in self._open:
            task.cancel()

    async def _serve(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        if scope["type"] != "http":
            return
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            query = scope["query_string"].decode()
            path = f"{scope['path']}?{query}" if query else scope["path"]
            headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
            body = await _body(receive)
            exchange = Exchange(path, headers, body, receive, send)
            try:
                await self._answer(exchange)
            finally:
                exchange.close()
        except asyncio.CancelledError:
            # The server stops: the connection is closed as it is.
            return
        finally:
            self._open.discard(task)


def _quiet_protocol() -> type[asyncio.Protocol]:
    """uvicorn's, but for its errors on connections that are closed without an end: we mean that."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    base: Any = AutoHTTPProtocol
    quiet = logging.getLogger("agentflow_dagster.testing.serving")
    quiet.setLevel(logging.CRITICAL)

    class Quiet(base):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)  # pyright: ignore[reportUnknownMemberType]
            self.logger = quiet

    return Quiet


async def _body(receive: ASGIReceiveCallable) -> JsonObject:
    data = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return {}
        data += message.get("body", b"")
        if not message.get("more_body"):
            break
    try:
        return mapping(json.loads(data or b"{}"))
    except ValueError:
        return {}


async def send_reply(
    exchange: Exchange, protocol: WireProtocol, asked: Asked, reply: Reply
) -> bool:
    """Sends a reply as its protocol says it, with what befalls it.

    Returns:
        Whether it went out as it was meant to, or the client left before.
    """
    path = exchange.path.partition("?")[0]
    if isinstance(reply, Answer) and (instead := protocol.instead(reply)):
        reply = instead
    match reply:
        case Refusal():
            await exchange.pause(reply.delay)
            await _send_refusal(exchange, protocol, reply)
        case Answer() if asked.stream:
            await _send_events(exchange, protocol, reply, protocol.stream(path, asked, reply))
        case Answer():
            await exchange.pause(reply.delay)
            await send_json(exchange, 200, protocol.whole(path, asked, reply))
        case Damaged() if asked.stream:
            await _send_damaged_events(exchange, protocol, asked, reply)
        case Damaged():
            await exchange.pause(reply.answer.delay)
            await _send_damaged(exchange, protocol, asked, reply)
    return not exchange.client_left


async def send_json(
    exchange: Exchange, status: int, value: JsonObject, headers: Mapping[str, str] | None = None
) -> None:
    """Sends a whole body."""
    data = json.dumps(value, ensure_ascii=False).encode()
    length = {"content-type": "application/json", "content-length": str(len(data))}
    await exchange.begin(status, {**length, **(headers or {})})
    await exchange.more(data)
    await exchange.finish()


async def _send_refusal(exchange: Exchange, protocol: WireProtocol, refusal: Refusal) -> None:
    headers: dict[str, str] = {}
    if isinstance(refusal.retry_after, datetime):
        headers["retry-after"] = format_datetime(refusal.retry_after, usegmt=True)
    elif refusal.retry_after is not None:
        headers["retry-after"] = f"{refusal.retry_after:g}"
    body = protocol.error(refusal.status, refusal.message)
    await send_json(exchange, refusal.status, body, headers)


async def _send_events(
    exchange: Exchange, protocol: WireProtocol, answer: Answer, events: Sequence[Event]
) -> None:
    await _begin_stream(exchange, protocol, answer)
    for number, event in enumerate(events):
        await exchange.pause(answer.gap if number else 0)
        if exchange.client_left:
            return
        await exchange.more(protocol.frame(event))
    await exchange.finish()


async def _begin_stream(exchange: Exchange, protocol: WireProtocol, answer: Answer) -> None:
    await exchange.pause(answer.delay)
    await exchange.begin(200, {"content-type": protocol.stream_type})


async def _send_damaged_events(
    exchange: Exchange, protocol: WireProtocol, asked: Asked, reply: Damaged
) -> None:
    path = exchange.path.partition("?")[0]
    answer = reply.answer
    if reply.damage == "empty":
        events = protocol.nothing_streamed(path, asked, answer)
        await _send_events(exchange, protocol, answer, events)
        return
    events = protocol.stream(path, asked, answer)
    half = max(1, len(events) // 2)
    await _begin_stream(exchange, protocol, answer)
    for event in events[:half]:
        await exchange.more(protocol.frame(event))
    match reply.damage:
        case "stall":
            await exchange.pause(None)
        case "cut":
            pass
        case "malformed":
            await exchange.more(protocol.broken(events[half]))
            for event in events[half + 1 :]:
                await exchange.more(protocol.frame(event))
            await exchange.finish()
        case "error":
            await exchange.more(protocol.frame(protocol.error_event("The model failed.")))
            await exchange.finish()


async def _send_damaged(
    exchange: Exchange, protocol: WireProtocol, asked: Asked, reply: Damaged
) -> None:
    path = exchange.path.partition("?")[0]
    if reply.damage == "empty":
        await send_json(exchange, 200, protocol.nothing(path, asked, reply.answer))
        return
    if reply.damage == "error":
        await send_json(exchange, 500, protocol.error(500, "The model failed."))
        return
    data = json.dumps(protocol.whole(path, asked, reply.answer)).encode()
    half = data[: len(data) // 2]
    length = len(half) if reply.damage == "malformed" else len(data)
    headers = {"content-type": "application/json", "content-length": str(length)}
    await exchange.begin(200, headers)
    await exchange.more(half)
    match reply.damage:
        case "malformed":
            await exchange.finish()
        case "stall":
            await exchange.pause(None)
        case "cut":
            pass
