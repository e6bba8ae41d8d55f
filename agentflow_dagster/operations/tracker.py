"""A small issue tracker on the loopback address, for the demo and for trying things out.

`POST /issues` with a bearer token opens an issue; `GET /issues` lists them.
"""

from __future__ import annotations

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from agentflow_dagster.spec.values import JsonObject

_MAX_BYTES = 1_000_000


class Tracker:
    """Keeps issues in memory while it is entered.

    Attributes:
        token: What callers must show.
        issues: What was opened, oldest first.
    """

    def __init__(self, *, port: int = 0, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self.issues: list[JsonObject] = []
        self._by_key: dict[str, JsonObject] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def open_issue(self, fields: JsonObject, key: str | None) -> JsonObject:
        """Opens an issue; the same idempotency key again gives the one that it opened."""
        with self._lock:
            if key is not None and key in self._by_key:
                return self._by_key[key]
            number = len(self.issues) + 1
            issue = {"id": number, "url": f"{self.url}/issues/{number}", **fields}
            self.issues.append(issue)
            if key is not None:
                self._by_key[key] = issue
            return issue

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(tracker: Tracker) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, {"issues": [*tracker.issues]})

        def do_POST(self) -> None:
            shown = self.headers.get("authorization", "")
            wanted = f"Bearer {tracker.token}"
            if not secrets.compare_digest(shown.encode(), wanted.encode()):
                self._answer(401, {"error": "a bearer token is needed"})
                return
            length = int(self.headers.get("content-length") or 0)
            if not 0 < length <= _MAX_BYTES:
                self._answer(413, {"error": "send a JSON object of at most 1 MB"})
                return
            try:
                fields = json.loads(self.rfile.read(length))
            except ValueError:
                fields = None
            if not isinstance(fields, dict):
                self._answer(400, {"error": "send a JSON object"})
                return
            named = cast("JsonObject", fields)
            self._answer(201, tracker.open_issue(named, self.headers.get("idempotency-key")))

        def _answer(self, status: int, body: JsonObject) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    return Handler
