"""An agent's identity: the hash of its canonical JSON, layout left out."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject, JsonValue


def canonical_json(value: JsonValue) -> str:
    """JSON with sorted keys, no spaces and no escapes beyond what JSON asks for.

    Numbers are written as Python's shortest form, a whole double as an integer (`1.0` is `1`), so
    that YAML, JSON and notebook spellings of one document agree.
    """
    return json.dumps(
        _whole_numbers(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def to_json(agent: Agent) -> JsonObject:
    """The document as JSON: camelCase, fields that its author left out left out."""
    return cast("JsonObject", agent.model_dump(mode="json", by_alias=True, exclude_unset=True))


def content_hash(agent: Agent) -> str:
    """sha256 (hex) of what the agent does: what equals its default and the layout left out.

    So a default that is written out changes nothing, and neither does a release that adds a field.
    The order of keys counts in a node's `with` alone: a switch judges its cases in order.
    """
    document = agent.model_dump(
        mode="json", by_alias=True, exclude={"layout"}, exclude_defaults=True
    )
    for node in document["spec"]["nodes"].values():
        node["with"] = ordered(node.get("with", {}))
    return hashlib.sha256(canonical_json(document).encode("utf-8", "surrogatepass")).hexdigest()


def order_counts(path: tuple[str | int, ...]) -> bool:
    """Whether the order of a mapping's keys is meaning: inside a node's `with`."""
    return path[:2] == ("spec", "nodes") and path[3:4] == ("with",)


def is_same(one: JsonValue, other: JsonValue, path: tuple[str | int, ...] = ()) -> bool:
    """Whether two documents (or what stands at a path of them) say the same, order included."""
    match one, other:
        case dict(), dict():
            if one.keys() != other.keys() or (order_counts(path) and list(one) != list(other)):
                return False
            return all(is_same(value, other[key], (*path, key)) for key, value in one.items())
        case list(), list():
            if len(one) != len(other):
                return False
            pairs = enumerate(zip(one, other, strict=True))
            return all(is_same(a, b, (*path, index)) for index, (a, b) in pairs)
        case _:
            return one == other and isinstance(one, bool) is isinstance(other, bool)


def ordered(value: JsonValue) -> JsonValue:
    """The value with mappings written as lists of pairs, so that the order of their keys counts."""
    match value:
        case dict():
            return {"pairs": [[key, ordered(inner)] for key, inner in value.items()]}
        case list():
            return [ordered(inner) for inner in value]
        case _:
            return value


def _whole_numbers(value: JsonValue) -> JsonValue:
    match value:
        case float() if value.is_integer() and abs(value) < 2**53:
            return int(value)
        case dict():
            return {k: _whole_numbers(v) for k, v in value.items()}
        case list():
            return [_whole_numbers(v) for v in value]
        case _:
            return value
