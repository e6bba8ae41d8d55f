"""A real HTTP server on the loopback interface that answers as a test says.

with Loopback({"/issues": Reply(201, '{"id": 1}')}) as server:
    ...
    assert server.requests[0].headers["idempotency-key"]
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Reply:
    """One answer. `hang` never answers until the server stops."""

    status: int = 200
    body: str | bytes = "{}"
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    hang: bool = False


@dataclass(frozen=True)
class Received:
    """One request as it came in; names of headers in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class _Server(ThreadingHTTPServer):
    request_queue_size = 1_000
    """Many may call in the same moment."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Who called may have gone."""


class Loopback:
    """Serves `replies` by path (without its query) while the context is open."""

    def __init__(self, replies: Mapping[str, Reply]) -> None:
        self.requests: list[Received] = []
        self._stopping = threading.Event()
        handler = _handler(self.requests, replies, self._stopping)
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(
    received: list[Received], replies: Mapping[str, Reply], stopping: threading.Event
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            received.append(Received(self.command, self.path, headers, self.rfile.read(size)))
            reply = replies.get(self.path.partition("?")[0], Reply(404, "nothing here"))
            if reply.hang:
                stopping.wait()
                self.close_connection = True
                return
            body = reply.body.encode() if isinstance(reply.body, str) else reply.body
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Tests look at what was received, not at a log."""

    return Handler
