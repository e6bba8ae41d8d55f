"""Where a kernel's notebook is, by what its Jupyter server says."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from agentflow_dagster.jupyter.server_session import notebook_on_server

if TYPE_CHECKING:
    from collections.abc import Generator

MINE = {"kernel": {"id": "k-1"}, "path": "RTC:notebooks/a.ipynb"}
OTHER = {"kernel": {"id": "k-2"}, "path": "b.ipynb"}


class Server(HTTPServer):
    """Answers every request alike."""

    status = 200
    body: object = None


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast("Server", self.server)
        allowed = self.headers["Authorization"] == "token secret"
        self.send_response(server.status if allowed else 403)
        self.end_headers()
        self.wfile.write(json.dumps(server.body).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Says nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Server]:
    """A server that has started this process as a kernel."""
    server = Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    told = {
        "url": f"http://127.0.0.1:{server.server_port}/",
        "token": "secret",
        "root_dir": "/srv",
    }
    (tmp_path / "jpserver-7.json").write_text(json.dumps(told))
    monkeypatch.setenv("JPY_PARENT_PID", "7")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("ipykernel.connect.get_connection_file", lambda: "/run/kernel-k-1.json")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_session_of_the_kernel_says_it(server: Server) -> None:
    server.body = [OTHER, {"kernel": None, "path": "x"}, MINE]
    assert notebook_on_server() == Path("/srv/notebooks/a.ipynb")


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, []), (200, [OTHER]), (403, {"message": "Forbidden"}), (500, "no")],
)
def test_where_it_says_nothing(server: Server, status: int, body: object) -> None:
    server.status, server.body = status, body
    assert notebook_on_server() is None


def test_without_a_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JPY_PARENT_PID", "7")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    assert notebook_on_server() is None
