"""Dagster's webserver, which a page of another site cannot use.

It asks for no password, and takes a mutation in the address of a GET: any page that the user looks
at could start and delete runs with an image, `<img src="http://127.0.0.1:3000/graphql?query=…">`,
or by having its own name resolve to this machine. Run as `python -m …webserver`, with the options
of `dagster-webserver`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dagster_webserver import app, cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

HOSTS_VARIABLE = "AGENTFLOW_HOSTS"
"""Names under which a proxy serves Dagster's UI to its users, separated by commas."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class OwnPagesOnly:
    """Refuses what a browser sends on behalf of another site's page; links to here stay.

    Browsers say whose page a request comes from (`Origin`, `Sec-Fetch-Site`); programs that are no
    browsers do not, and are let in.

    Args:
        application: What is guarded.
        hosts: The names that it is reached by.
    """

    def __init__(self, application: ASGIApp, hosts: Collection[str]) -> None:
        self._application = application
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 403, or hands on."""
        if scope["type"] in {"http", "websocket"} and (said := self._refusal(scope)):
            answer = PlainTextResponse(said, status_code=403)
            await answer(scope, receive, send)  # a WebSocket is closed by it before it opens
            return
        await self._application(scope, receive, send)

    def _refusal(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _name(f"//{host}") not in self._hosts:
            return f"Not served under this name. A proxy's name goes into {HOSTS_VARIABLE}."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return "Not for pages of other sites."
        foreign = headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
        followed = headers.get("sec-fetch-mode") == "navigate" and scope.get("method") == "GET"
        return "Not for pages of other sites." if foreign and not followed else ""


class _Webserver(DagsterWebserver[Any, Any]):
    def build_middleware(self) -> list[Middleware]:
        named = os.environ.get(HOSTS_VARIABLE, "").split(",")
        hosts = {*_LOOPBACK, *(name.strip() for name in named if name.strip())}
        guard: Any = OwnPagesOnly
        return [Middleware(guard, hosts=hosts), *super().build_middleware()]


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def main() -> None:
    """Serves until it is told to stop."""
    app.DagsterWebserver = _Webserver  # pyright: ignore[reportPrivateImportUsage]
    cli.main()


if __name__ == "__main__":
    main()
