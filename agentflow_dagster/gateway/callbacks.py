"""Where systems answer that a step has asked: each at a URL of its own, which is its right to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from agentflow_dagster.errors import UsageError
from agentflow_dagster.gateway.event import read_call
from agentflow_dagster.graph.inputs import misfit

if TYPE_CHECKING:
    from agentflow_dagster.ports.waits import WaitStore
    from agentflow_dagster.spec.values import JsonSchema, Value

_LONGEST_TOKEN = 100
_SHOWN = 2_000


async def called_back(waits: WaitStore, token: str, request: Request) -> JSONResponse:
    """Takes an answer, once.

    Raises:
        HTTPException: nobody waits for it (404), it does not meet the schema (422), or another
            came before it, or its time ran out (409).
    """
    found = None
    if len(token) <= _LONGEST_TOKEN:
        found = await run_in_threadpool(waits.called, token)
    if found is None:
        raise HTTPException(404, "Nobody waits for this call.")
    value = (await read_call(request, "/callbacks")).event["body"]
    schema = cast("JsonSchema", found.subject["schema"])
    problem = await run_in_threadpool(lambda: misfit(schema, value, whole=True))
    if problem:
        raise HTTPException(422, problem[:_SHOWN])
    try:
        await run_in_threadpool(waits.call_back, token, cast("Value", value))
    except UsageError as over:
        raise HTTPException(409, str(over)[:_SHOWN]) from None
    return JSONResponse({"status": "ok"}, status_code=202)
