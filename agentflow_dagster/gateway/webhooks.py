"""Which agent a webhook call is for, and the call as an event."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, cast

from fastapi import HTTPException

from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from fastapi import Request

    from agentflow_dagster.ports.stores import VersionStore
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject, JsonValue

MAX_BODY_BYTES = 1_000_000
_KEPT_HEADERS = ("content-type", "user-agent", "x-request-id", "idempotency-key")
_SECONDS_KNOWN = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """The trigger that a call is for."""

    agent: Agent
    trigger: str


class Routes:
    """Webhook paths of the deployed agents; at most a second behind what is deployed."""

    def __init__(self, versions: VersionStore, environment: str) -> None:
        self._versions = versions
        self._environment = environment
        self._lock = Lock()
        self._known: dict[tuple[str, str], Target] = {}
        self._read_at = float("-inf")

    def find(self, method: str, path: str) -> Target | None:
        """The trigger that listens there; the agent deployed first where two do."""
        return self._current().get((method, path))

    def paths(self) -> list[dict[str, str]]:
        """Every webhook, for whoever may ask."""
        return [
            {"method": method, "path": f"/hooks{path}", "agent": target.agent.name}
            for (method, path), target in self._current().items()
        ]

    def _current(self) -> dict[tuple[str, str], Target]:
        with self._lock:
            if time.monotonic() - self._read_at > _SECONDS_KNOWN:
                self._known = self._read()
                self._read_at = time.monotonic()
            return self._known

    def _read(self) -> dict[tuple[str, str], Target]:
        found: dict[tuple[str, str], Target] = {}
        live = sorted(self._versions.live(self._environment), key=lambda d: d.deployed_at)
        for deployment in live:
            agent = parse_agent(deployment.version.document)
            if isinstance(agent, tuple):
                continue  # Not served by Dagster either; `agentflow check` says why.
            for name, trigger in agent.spec.triggers.items():
                if trigger.webhook is not None:
                    key = (trigger.webhook.method, trigger.webhook.path)
                    found.setdefault(key, Target(agent, name))
        return found


async def read_event(request: Request, path: str) -> JsonObject:
    """The call as an event: `{body, headers, query, method, path}`; the body parsed where JSON.

    Raises:
        HTTPException: it is too large (413), or not what its content type says (400).
    """
    body = await _bounded(request)
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    headers = {h: request.headers[h] for h in _KEPT_HEADERS if h in request.headers}
    return {
        "body": _parsed(body, kind),
        "headers": cast("JsonObject", headers),
        "query": cast("JsonObject", dict(request.query_params)),
        "method": request.method,
        "path": path,
    }


async def _bounded(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, f"A call may carry {MAX_BODY_BYTES:,} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _parsed(body: bytes, kind: str) -> JsonValue:
    try:
        text = body.decode("utf-8")
        if kind.endswith("json"):
            return cast("JsonValue", json.loads(text, parse_constant=_refuse)) if text else None
    except (ValueError, RecursionError) as problem:
        raise HTTPException(400, f"The body is not {kind}: {problem}.") from None
    return text


def _refuse(constant: str) -> JsonValue:
    raise ValueError(f"{constant} is not JSON")
