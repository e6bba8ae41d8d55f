"""How `logic.merge` makes one value of several, and what the schema of that value is."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.spec.canonical import canonical_json
from agentflow_dagster.spec.schemas import properties
from agentflow_dagster.spec.values import split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.spec.values import JsonSchema, Value


def concatenated(ran: Mapping[str, Value], *, separator: str) -> Value:
    """Lists, or texts, one after another.

    Raises:
        RunError: something is neither, or both are there.
    """
    given = list(ran.values())
    if all(isinstance(value, str) for value in given):
        return separator.join(cast("list[str]", given))
    if all(isinstance(value, list) for value in given):
        return [item for value in given for item in cast("list[Value]", value)]
    raise _unfit(ran, "concat", "lists alone, or texts alone")


def overlaid(ran: Mapping[str, Value]) -> Value:
    """One object of all their fields; where several have one, the last counts.

    Raises:
        RunError: something is no object.
    """
    whole: dict[str, Value] = {}
    for value in ran.values():
        if not isinstance(value, dict):
            raise _unfit(ran, "object", "objects")
        whole |= value
    return whole


def vote(ran: Mapping[str, Value]) -> Value:
    """`{value, votes, of}`: the value that most gave, and of several such the first.

    Raises:
        RunError: a table or bytes, which are not compared.
    """
    told: list[str] = []
    for value in ran.values():
        body, parts = split(value)
        if parts:
            raise _unfit(ran, "vote", "values that are no tables or bytes")
        told.append(canonical_json(body))
    # Of equals, `most_common` keeps the order in which they came.
    ((winner, votes),) = Counter(told).most_common(1)
    return {"value": list(ran.values())[told.index(winner)], "votes": votes, "of": len(told)}


def any_of(schemas: Sequence[JsonSchema]) -> JsonSchema:
    """The schema of a value that meets one of these."""
    found: list[JsonSchema] = []
    for schema in schemas:
        if schema not in found:
            found.append(schema)
    return found[0] if len(found) == 1 else {"anyOf": found}


def concatenated_schema(schemas: Sequence[JsonSchema]) -> JsonSchema:
    """That of lists or texts one after another; `{}` where it is not known which."""
    types = {str(schema.get("type")) for schema in schemas}
    if types == {"string"}:
        return {"type": "string"}
    if types == {"array"}:
        return {"type": "array", "items": any_of([_items(schema) for schema in schemas])}
    return {}


def overlaid_schema(schemas: Sequence[JsonSchema]) -> JsonSchema:
    """That of objects laid over each other; a field is sure to be there where all have it, for
    one of them may not have run."""
    fields: dict[str, list[JsonSchema]] = {}
    for schema in schemas:
        for name, inner in properties(schema).items():
            fields.setdefault(name, []).append(inner)
    needed = [set(cast("list[str]", schema.get("required", []))) for schema in schemas]
    sure = needed[0].intersection(*needed[1:])
    whole: JsonSchema = {
        "type": "object",
        "properties": {name: any_of(inner) for name, inner in fields.items()},
        "required": [name for name in fields if name in sure],
    }
    # A field that one names may come from another that does not say what else it holds.
    if not all(schema.get("additionalProperties") is False for schema in schemas):
        return whole
    return {**whole, "additionalProperties": False}


def vote_schema(schemas: Sequence[JsonSchema]) -> JsonSchema:
    """That of `{value, votes, of}`."""
    return {
        "type": "object",
        "properties": {
            "value": any_of(schemas),
            "votes": {"type": "integer", "minimum": 1},
            "of": {"type": "integer", "minimum": 1},
        },
        "required": ["value", "votes", "of"],
        "additionalProperties": False,
    }


def _items(schema: JsonSchema) -> JsonSchema:
    items = schema.get("items")
    return cast("JsonSchema", items) if isinstance(items, dict) else {}


def _unfit(ran: Mapping[str, Value], strategy: str, wanted: str) -> RunError:
    return RunError(
        f"The outputs of {', '.join(ran)} cannot be merged by `{strategy}`: it takes {wanted}.",
        hint="Choose another `strategy`, or name the `field` to take of each.",
        retryable=False,
    )
