"""An HTTP call as an event. Whatever is sent, it becomes one or is refused with a 4xx."""

from __future__ import annotations

import asyncio
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool

from agentflow_dagster.stores.tables import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request

    from agentflow_dagster.spec.values import JsonObject, JsonValue

T = TypeVar("T")

MAX_BODY_BYTES = 1_000_000
MAX_DEPTH = 64
"""Levels of JSON: what comes after it (expressions, schemas, Dagster's config) is recursive."""
BODY_SECONDS = 30.0
SHORT_BYTES = 16_384
"""A body up to here is looked at on the event loop: a thread would take longer to begin."""
_LONE_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_KEPT_HEADERS = ("content-type", "user-agent", "x-request-id", "idempotency-key")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was read.

    Args:
        event: `{body, headers, query, method, path}`; the body parsed where it is JSON.
        is_short: Whether what is done with it takes no time to speak of.
    """

    event: JsonObject
    is_short: bool

    async def work(self, function: Callable[..., T], *values: object) -> T:
        """Has a function work on it, where it holds up nobody."""
        return function(*values) if self.is_short else await run_in_threadpool(function, *values)


async def read_call(request: Request, path: str) -> Call:
    """The call as an event.

    Raises:
        HTTPException: it is too large (413) or too slow (408), or not what its content type says
            (400).
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _bounded(request)
    except TimeoutError:
        raise HTTPException(408, f"The body was not there in {BODY_SECONDS:g} s.") from None
    is_short = len(body) <= SHORT_BYTES
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    headers = {h: request.headers[h] for h in _KEPT_HEADERS if h in request.headers}
    kind = kind.lower()
    event: JsonObject = {
        "body": _parsed(body, kind) if is_short else await run_in_threadpool(_parsed, body, kind),
        "headers": cast("JsonObject", headers),
        "query": cast("JsonObject", dict(request.query_params)),
        "method": request.method,
        "path": path,
    }
    return Call(event, is_short)


def idempotency_key(request: Request) -> str | None:
    """The header `Idempotency-Key`, by which a repeated call is known.

    Raises:
        HTTPException: it is empty or too long (400).
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= KEY:
        raise HTTPException(400, f"Idempotency-Key: 1 to {KEY} characters, or leave it out.")
    return key


async def _bounded(request: Request) -> bytes:
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > MAX_BODY_BYTES:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large() -> HTTPException:
    return HTTPException(413, f"A call may carry {MAX_BODY_BYTES:,} bytes.")


def _parsed(body: bytes, kind: str) -> JsonValue:
    try:
        text = body.decode("utf-8")
        if not kind.endswith("json"):
            return text
        if not text:
            return None
        value = cast(
            "JsonValue", json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        )
        if _LONE_HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # a lone half is in no character set
    except (UnicodeDecodeError, UnicodeEncodeError) as problem:
        raise HTTPException(400, f"The body is not UTF-8: {problem.reason}.") from None
    except (ValueError, RecursionError) as problem:
        raise HTTPException(400, f"The body is not {kind}: {problem}.") from None
    if _deeper_than(MAX_DEPTH, value):
        raise HTTPException(400, f"The body nests deeper than {MAX_DEPTH} levels.")
    return value


def _refuse_constant(constant: str) -> JsonValue:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is beyond what a double can hold")
    return number


def _deeper_than(levels: int, value: JsonValue) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [inner for outer in layer for inner in _inside(outer)]
    return any(isinstance(left, dict | list) for left in layer)


def _inside(value: JsonValue) -> list[JsonValue]:
    match value:
        case dict():
            return list(value.values())
        case list():
            return value
        case _:
            return []
