"""Dagster's webserver, which a page of another site cannot use, and which takes new locations in.

It asks for no password, and takes a mutation in the address of a GET: any page that the user looks
at could start and delete runs with an image, `<img src="http://127.0.0.1:3000/graphql?query=…">`,
or by having its own name resolve to this machine.

Dagster learns of a new code location by `reloadWorkspace`, which starts all of them again, one
after the other. `POST /agentflow/new_locations` loads those that it does not have and leaves the
rest.

Dagster has runs SUSPENDED and offers no way to end them; here they can be terminated like others.
Run as `python -m …webserver`, with the options
of `dagster-webserver`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dagster import DagsterRunStatus
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.storage.dagster_run import CANCELABLE_RUN_STATUSES
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_webserver import app, cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from agentflow_dagster.orchestration.client import NEW_LOCATIONS_PATH
from agentflow_dagster.orchestration.storage import note_plans_at_once
from agentflow_dagster.orchestration.whole_locations import read_locations_whole

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request
    from starlette.responses import Response
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

    def build_routes(self) -> list[Any]:
        new = Route(NEW_LOCATIONS_PATH, self._find_new_locations, methods=["POST"])
        return [new, *super().build_routes()]

    async def _find_new_locations(self, _: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._process_context.add_new_locations))


class Workspace(WorkspaceProcessContext):
    """The code locations of a webserver; new ones can be added while it serves the others."""

    def add_new_locations(self) -> list[str]:
        """Loads the locations that the workspace file has and this has not; their names."""
        added: list[str] = []
        for origin in self._origins:
            name = origin.location_name
            if name in self.code_location_names:
                continue
            entry = self._load_location(origin, reload=False)
            with self._lock:
                known = self._current_workspace
                if name in known.code_location_entries:
                    continue  # another call was faster
                self._current_workspace = known.with_code_location(name, entry)
                if isinstance(origin, GrpcServerCodeLocationOrigin):
                    self._start_watch_thread(origin)
            added.append(name)
        return added


def _name(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def main() -> None:
    """Serves until it is told to stop."""
    read_locations_whole()
    note_plans_at_once()
    CANCELABLE_RUN_STATUSES.append(DagsterRunStatus.SUSPENDED)
    cli.WorkspaceProcessContext = Workspace  # pyright: ignore[reportPrivateImportUsage]
    app.DagsterWebserver = _Webserver  # pyright: ignore[reportPrivateImportUsage]
    cli.main()


if __name__ == "__main__":
    main()
