"""A provider that speaks the OpenAI protocol over real HTTP on the loopback interface.

    with OpenAIServer([Scripted("hello", tokens_in=12, tokens_out=3)]) as provider:
        environment = {"OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "sk-test"}

Replies are given in order; the last one again and again. What came in stands in `requests`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Answer = Callable[[dict[str, Any]], "Scripted"]


@dataclass(frozen=True)
class Scripted:
    """One reply.

    Args:
        text: What the assistant says; None for none at all.
        status: 200 gives a completion; anything else an error of that status, with `text` as its
            message.
        body: Sent in place of a completion, as it stands.
        usage: False leaves the token figures out.
        hang: Never answers until the server stops.
    """

    text: str | None = "ok"
    tokens_in: int = 10
    tokens_out: int = 5
    status: int = 200
    model: str | None = None
    finish_reason: str = "stop"
    body: str | None = None
    usage: bool = True
    hang: bool = False


@dataclass(frozen=True)
class Received:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any] = field(repr=False)


class OpenAIServer:
    """Answers `POST /v1/chat/completions` as scripted. A context manager.

    Args:
        replies: Given in order, the last one for all that follow; or a function from a request's
            body to its reply. May be set anew while the server runs.
    """

    def __init__(self, replies: Sequence[Scripted] | Answer = (Scripted(),)) -> None:
        self.replies = replies
        self.requests: list[Received] = []
        self._lock = threading.Lock()
        self._given = 0
        self._stopping = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server._answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The base URL, `/v1` included."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length", 0))
        body = json.loads(handler.rfile.read(length) or b"{}")
        reply = self._next(
            Received(handler.path, {k.lower(): v for k, v in handler.headers.items()}, body)
        )
        if reply.hang:
            self._stopping.wait()
            return
        status = reply.status if handler.path.endswith("/chat/completions") else 404
        data = (reply.body or json.dumps(_payload(reply, status, body))).encode()
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _next(self, received: Received) -> Scripted:
        with self._lock:
            self.requests.append(received)
            if callable(self.replies):
                return self.replies(received.body)
            reply = self.replies[min(self._given, len(self.replies) - 1)]
            self._given += 1
            return reply


def _payload(reply: Scripted, status: int, body: dict[str, Any]) -> dict[str, Any]:
    if status != 200:
        return {"error": {"message": reply.text, "type": "error", "param": None, "code": None}}
    completion: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": reply.model or body.get("model"),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": reply.text},
                "finish_reason": reply.finish_reason,
            }
        ],
    }
    if reply.usage:
        completion["usage"] = {
            "prompt_tokens": reply.tokens_in,
            "completion_tokens": reply.tokens_out,
            "total_tokens": reply.tokens_in + reply.tokens_out,
        }
    return completion
