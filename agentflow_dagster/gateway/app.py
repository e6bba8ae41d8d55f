"""The front door's application. Every route but the liveness probe asks for the project's token."""

from __future__ import annotations

import asyncio
import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from agentflow_dagster import __version__
from agentflow_dagster.errors import AgentFlowError, RunError, StoreError, UsageError
from agentflow_dagster.gateway.acceptance import Acceptance
from agentflow_dagster.gateway.backlog import Backlog, most_pending
from agentflow_dagster.gateway.callbacks import called_back
from agentflow_dagster.gateway.event import idempotency_key, read_call
from agentflow_dagster.gateway.starts import Starts
from agentflow_dagster.gateway.webhooks import Routes, Target
from agentflow_dagster.graph.events import event_input
from agentflow_dagster.ports.stores import NewEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from contextlib import AbstractContextManager

    from agentflow_dagster.ports.starter import Starter
    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.stores import Stores

_BEARER = HTTPBearer(auto_error=False)
_SHOWN = 2_000
_THREADS = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """What the application works with.

    Args:
        open_stores: Opens the project's stores for the application's life.
        environment: Whose deployments answer.
        token: What callers must show as `Authorization: Bearer …`.
        variables: Values of `{{env.…}}` in triggers.
        starter: Makes what starts accepted events at once; without it their sensors do.
    """

    open_stores: Callable[[], AbstractContextManager[Stores]]
    environment: str
    token: str
    variables: Mapping[str, str]
    starter: Callable[[Stores, Routes], Starter] | None = None


def create_app(settings: Settings) -> FastAPI:
    """Builds the application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        # Python's own has few threads on few processors; these wait for the database.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
        with settings.open_stores() as stores:
            app.state.stores = stores
            routes = Routes(stores.versions, settings.environment)
            app.state.routes = routes
            starter = settings.starter and settings.starter(stores, routes)
            app.state.backlog = Backlog(stores.inbox, most=most_pending(settings.variables))
            async with (
                Starts(starter, stores.inbox) as starts,
                Acceptance(stores.inbox, lambda: starts.claims) as app.state.acceptance,
            ):
                app.state.starts = starts
                yield

    app = FastAPI(
        title="AgentFlow",
        version=__version__,
        lifespan=lifespan,
        redirect_slashes=False,  # it would send callers to whatever host they named
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.add_exception_handler(AgentFlowError, _told)

    async def authenticated(
        shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> None:
        given = shown.credentials if shown else ""
        if not secrets.compare_digest(given.encode(), settings.token.encode()):
            raise HTTPException(
                401,
                "Show the project's token: Authorization: Bearer …",
                headers={"WWW-Authenticate": "Bearer"},
            )

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", dependencies=[Depends(authenticated)])
    async def ready() -> dict[str, object]:
        routes: Routes = app.state.routes
        return {"status": "ok", "version": __version__, "webhooks": await routes.paths()}

    @app.api_route(
        "/hooks/{path:path}", methods=["POST", "PUT"], dependencies=[Depends(authenticated)]
    )
    async def webhook(path: str, request: Request) -> JSONResponse:
        target = await app.state.routes.find(request.method, f"/{path}")
        if target is None:
            raise HTTPException(404, f"No deployed agent listens for {request.method} /{path}.")
        call = await read_call(request, f"/{path}")
        key = idempotency_key(request)
        await app.state.backlog.require_room()
        await call.work(_require_input, target, call.event, settings.variables)
        acceptance: Acceptance = app.state.acceptance
        accepted = await acceptance.accept(
            NewEvent(target.agent.name, target.trigger, call.event, idempotency_key=key)
        )
        if accepted.new:
            starts: Starts = app.state.starts
            priority = target.agent.spec.config.priority
            starts.soon(accepted.event, priority=priority, claimed_at=accepted.claimed_at)
        body = {
            "event_id": accepted.event.id,
            "run_key": accepted.event.run_key,
            "duplicate": not accepted.new,
        }
        return JSONResponse(body, status_code=202)

    async def callback(token: str, request: Request) -> JSONResponse:
        return await called_back(app.state.stores.waits, token, request)

    app.add_api_route("/callbacks/{token}", callback, methods=["POST"])
    return app


async def _told(request: Request, problem: Exception) -> JSONResponse:
    del request
    if isinstance(problem, StoreError):
        # What the store says may name hosts and users; callers learn only that it is not there.
        return JSONResponse(
            {"detail": "The store cannot be reached; try again."},
            status_code=503,
            headers={"Retry-After": "5"},
        )
    status = 422 if isinstance(problem, UsageError | RunError) else 500
    return JSONResponse({"detail": _shown(str(problem))}, status_code=status)


def _require_input(target: Target, event: JsonObject, variables: Mapping[str, str]) -> None:
    """Refuses what cannot become an input here, where its sender can still mend it."""
    given = event_input(target.agent, target.trigger, event, variables)
    try:
        json.dumps(given, allow_nan=False)
    except ValueError:
        raise UsageError(
            "The input has a number that JSON cannot hold (NaN or infinity)."
        ) from None


def _shown(text: str) -> str:
    """What a caller may get back of its own words: not all, and as UTF-8 can hold it."""
    cut = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return cut.encode("utf-8", "backslashreplace").decode("utf-8")


__all__ = ["Settings", "create_app"]
