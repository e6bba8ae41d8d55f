"""Running pieces of code through the sandbox, and the errors that come back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypedDict, Unpack

import pytest

from agentflow_dagster.errors import CodeError
from agentflow_dagster.ports.code import CodeRequest, CodeResult
from agentflow_dagster.sandbox import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import Value

MIB = 1024**2


class RequestOptions(TypedDict, total=False):
    setup: str
    inputs: Mapping[str, Value]
    timeout: float
    memory_bytes: int


class Options(RequestOptions, total=False):
    runner: ChildProcess


def run(
    source: str,
    *outputs: str,
    runner: ChildProcess | None = None,
    **options: Unpack[RequestOptions],
) -> CodeResult:
    request = CodeRequest(source, outputs, filename="<node total>", **options)
    return asyncio.run((runner or ChildProcess()).run(request))


def failure(source: str, *outputs: str, **options: Unpack[Options]) -> CodeError:
    with pytest.raises(CodeError) as caught:
        run(source, *outputs, **options)
    return caught.value
