"""`tool.http`: one HTTP call."""

from __future__ import annotations

import json as jsonlib
from functools import cache
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, model_validator

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    import httpx

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value

MAX_RESPONSE_BYTES = 5_000_000
_KEPT_HEADERS = ("content-type", "location", "etag", "retry-after")


class HttpConfig(KindConfig):
    """The call to make."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = Field(
        default="GET", description="The HTTP method."
    )
    url: str = Field(
        min_length=1, max_length=8_000, description="Where to: an http or https address."
    )
    headers: dict[str, str] = Field(
        default_factory=dict[str, str], description="Headers to send, by name."
    )
    query: dict[str, str | int | float | bool] = Field(
        default_factory=dict[str, str | int | float | bool],
        description="Parameters that are added to the address.",
    )
    json_: JsonValue = Field(default=None, alias="json", description="Sent as JSON.")
    body: str | None = Field(default=None, description="Sent as it is; not together with `json`.")

    @model_validator(mode="after")
    def _one_body(self) -> HttpConfig:
        if self.json_ is not None and self.body is not None:
            raise ValueError("give `json` or `body`, not both")
        return self


class Http(Kind[HttpConfig]):
    """Gives `{status, headers, body}`; the body is parsed where it is JSON.

    A status of 400 and above fails the step. Redirects are not followed, so that no header goes to
    a host that its author did not name. Calls that change something carry an `Idempotency-Key`
    that every attempt repeats.
    """

    name = "tool.http"
    summary = "Calls an HTTP API."
    example = """\
ticket:
  kind: tool.http
  timeout: 10s
  retry: {maxAttempts: 3}
  with:
    method: POST
    url: "{{env.TRACKER}}/issues"
    headers: {authorization: "Bearer {{secret.TRACKER_TOKEN}}"}
    json: {title: "{{input.subject}}"}
"""
    config = HttpConfig
    effects = "external"
    outside = True

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        return {
            "type": "object",
            "properties": {
                "status": {"type": "integer"},
                "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                "body": {},
            },
            "required": ["status", "headers", "body"],
        }

    async def run(self, context: NodeContext, config: HttpConfig) -> NodeResult:
        return NodeResult(await call(context, config))


async def call(context: NodeContext, config: HttpConfig) -> dict[str, Value]:
    """Makes the call; `{status, headers, body}`.

    Raises:
        RunError: it could not be made, or its status is 400 or above.
    """
    import httpx

    where = _place(config.url)
    headers = dict(config.headers)
    if config.method not in {"GET", "HEAD"}:
        names = {name.lower() for name in headers}
        if "idempotency-key" not in names:
            headers["Idempotency-Key"] = context.idempotency_key
    try:
        async with (
            httpx.AsyncClient(timeout=context.timeout, verify=_trusted()) as client,
            client.stream(
                config.method,
                config.url,
                headers=headers,
                params=config.query or None,
                json=config.json_,
                content=config.body,
            ) as response,
        ):
            content = await _bounded(response, where)
    except httpx.HTTPError as problem:
        told = str(problem) or type(problem).__name__
        raise RunError(f"{config.method} {where} failed: {told}.") from None
    except (httpx.InvalidURL, ValueError) as problem:
        told = f"{config.method} {where} cannot be sent: {problem}."
        raise RunError(told, retryable=False) from None
    if response.status_code >= 400:
        raise _refused(config.method, where, response, content)
    return {
        "status": response.status_code,
        "headers": {h: response.headers[h] for h in _KEPT_HEADERS if h in response.headers},
        "body": cast("Value", _parsed(response, content)),
    }


@cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates are trusted; reading them takes 20 ms, in which no other step goes on."""
    import httpx

    return httpx.create_ssl_context()


def _place(url: str) -> str:
    """Scheme, host and path: a query may hold what nobody should read.

    Raises:
        RunError: not an http or https URL.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, usable = urlsplit(""), False
    if not usable:
        shown = url.partition("?")[0].rpartition("@")[2]
        raise RunError(
            f"{shown!r} is not an http or https URL.",
            hint="Check the environment variable or input that it is made from.",
            retryable=False,
        )
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def _bounded(response: httpx.Response, where: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES:
            raise RunError(
                f"{where} answered with more than {MAX_RESPONSE_BYTES:,} bytes.", retryable=False
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _refused(method: str, where: str, response: httpx.Response, content: bytes) -> RunError:
    status = response.status_code
    said = content[:500].decode("utf-8", "replace").strip()
    return RunError(
        f"{method} {where} answered {status} {response.reason_phrase}: {said or '(no text)'}",
        retryable=status in {408, 425, 429} or status >= 500,
    )


def _parsed(response: httpx.Response, content: bytes) -> JsonValue:
    if "json" in response.headers.get("content-type", ""):
        try:
            return cast("JsonValue", jsonlib.loads(content))
        except ValueError:
            pass
    return content.decode(response.encoding or "utf-8", "replace")
