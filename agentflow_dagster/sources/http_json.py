"""`http.json`: items of a JSON document on the web, each once, asked for with its ETag."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, Field, StringConstraints

from agentflow_dagster.errors import SourceError
from agentflow_dagster.ports.events import SourceEvent
from agentflow_dagster.spec.element import Element

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue

MAX_BYTES = 10_000_000
_MAX_SEEN = 20_000
_EVENT: JsonSchema = {
    "type": "object",
    "properties": {"item": {}, "key": {"type": "string"}, "url": {"type": "string"}},
}


class HttpJsonConfig(Element):
    """What to ask for."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2000)]
    headers: dict[str, str] = Field(default_factory=dict[str, str])
    items: Annotated[str, StringConstraints(max_length=200)] = Field(
        default="", description="Where the list stands: `data.items`; empty where it is the whole."
    )
    key: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        default="id", description="The field that tells items apart."
    )


class HttpJson:
    """Asks a URL for a list, and gives the items whose key it has not seen, in their order.

    An item that changes under its key is not given again. Nothing is downloaded as long as the
    server answers 304 to the ETag (RFC 9110).
    """

    name = "http.json"
    config: type[BaseModel] = HttpJsonConfig
    event_schema: JsonSchema = _EVENT

    def poll(
        self, cursor: JsonValue, config: BaseModel, *, limit: int, seconds: float
    ) -> tuple[Sequence[SourceEvent], JsonValue]:
        """New items.

        Raises:
            SourceError: the server cannot be asked, or what it answers is no such list.
        """
        given = cast("HttpJsonConfig", config)
        before = cast("JsonObject", cursor or {})
        seen = dict.fromkeys(cast("list[str]", before.get("seen") or []))
        found = _fetch(given, str(before.get("etag") or ""), seconds)
        if found is None:
            return (), cursor
        body, etag = found
        items = _items(body, given)
        keys = [_key(item, given.key) for item in items]
        fresh = [
            (key, item)
            for key, item in dict(zip(keys, items, strict=True)).items()
            if key not in seen
        ]
        events = [_event(key, item, given.url) for key, item in fresh[:limit]]
        rest = {key for key, _ in fresh[limit:]}
        # What the list no longer has need not be remembered; with a rest, ask again without ETag.
        kept: list[JsonValue] = [k for k in dict.fromkeys(keys) if k not in rest]
        return events, {"etag": "" if rest else etag, "seen": kept}


def _fetch(given: HttpJsonConfig, etag: str, seconds: float) -> tuple[JsonValue, str] | None:
    """The document and its ETag; None where it has not changed."""
    import time

    import httpx

    headers = {"accept": "application/json", **given.headers}
    if etag:
        headers["if-none-match"] = etag
    deadline = time.monotonic() + seconds
    try:
        with (
            httpx.Client(timeout=seconds, trust_env=True) as client,
            client.stream("GET", given.url, headers=headers) as reply,
        ):
            if reply.status_code == 304:
                return None
            if reply.status_code != 200:
                raise SourceError(f"The server answers {reply.status_code}.")
            data = bytearray()
            for chunk in reply.iter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise SourceError(f"The answer has over {MAX_BYTES // 1_000_000} MB.")
                if time.monotonic() > deadline:
                    raise SourceError(f"The answer was not there within {seconds:g} s.")
            return cast("JsonValue", json.loads(data)), reply.headers.get("etag", "")
    except (httpx.HTTPError, httpx.InvalidURL) as problem:
        raise SourceError(
            f"The server cannot be asked: {problem or type(problem).__name__}."
        ) from None
    except (ValueError, RecursionError):
        raise SourceError("The answer is not JSON.") from None


def _items(body: JsonValue, given: HttpJsonConfig) -> list[JsonValue]:
    at: Any = body
    for part in given.items.split(".") if given.items else ():
        at = cast("Mapping[str, Any]", at).get(part) if isinstance(at, dict) else None
    if not isinstance(at, list):
        where = f"at {given.items!r}" if given.items else "at its top"
        raise SourceError(f"The answer has no list {where}.", hint="Say where it is: `items`.")
    items = cast("list[JsonValue]", at)
    if len(items) > _MAX_SEEN:
        raise SourceError(
            f"The list has over {_MAX_SEEN:,} items.", hint="Ask for newer ones only."
        )
    return items


def _key(item: JsonValue, field: str) -> str:
    found = item.get(field) if isinstance(item, dict) else None
    if not isinstance(found, str | int) or isinstance(found, bool):
        raise SourceError(
            f"An item has no {field!r} that is a text or a whole number.",
            hint="Name the field that tells items apart: `key`.",
        )
    return str(found)


def _event(key: str, item: JsonValue, url: str) -> SourceEvent:
    digest = hashlib.sha256(f"{url}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()
    return SourceEvent(f"item-{digest}", {"item": item, "key": key, "url": url})
