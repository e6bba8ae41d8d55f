"""A run's input in Dagster's launchpad: typed fields, defaults filled in, or a source run.

Whatever meets the agent's JSON Schema must pass here, or a webhook's run would be refused; what
Dagster's config types cannot say is judged at the first step.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

from dagster import Any as AnyValue
from dagster import (
    Array,
    ConfigMapping,
    Enum,
    EnumValue,
    Field,
    Noneable,
    Permissive,
    Selector,
    Shape,
)

from agentflow_dagster.graph.cel_types import simple_type
from agentflow_dagster.graph.inputs import conform
from agentflow_dagster.orchestration.names import NEWEST, allowed
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from agentflow_dagster.graph.plan import Plan, PlanStep
    from agentflow_dagster.spec.values import JsonSchema

_SCALARS: dict[str, Any] = {"integer": int, "number": float, "boolean": bool}


def input_mapping(plan: Plan) -> ConfigMapping:
    """The agent's config: `input` starts a run of its own, `source_run` says which run's input and
    upstream values a partial run takes."""
    schema = cast("JsonSchema", plan.agent.spec.inputs)
    choice = _choice(schema)
    return _mapping(plan, Field(choice, is_required=False) if _optional(schema) else choice)


def part_mapping(plan: Plan) -> ConfigMapping:
    """The config of some of the agent's nodes: unless it says otherwise, they take the rest from
    the newest run that has it."""
    choice = _choice(cast("JsonSchema", plan.agent.spec.inputs))
    return _mapping(plan, Field(choice, default_value={"source_run": NEWEST}))


def step_config(plan: Plan, step: PlanStep) -> Field:
    """The config of one node's op, which `input_mapping` and `part_mapping` fill in.

    The UI opens its launchpad where an asset's op asks for config, and launches at once where none
    does. An agent that needs an input asks for it in the nodes that every whole run begins with.
    """
    asks = not step.asset_parents and not _optional(cast("JsonSchema", plan.agent.spec.inputs))
    return Field(Permissive(), is_required=asks)


def _choice(schema: JsonSchema) -> Any:
    return cast(
        "Any",
        Selector(
            {
                "input": Field(_input(schema), description="Starts a run from this input."),
                "source_run": Field(
                    str,
                    description=f"Takes input and upstream values from this run; `{NEWEST}` is the "
                    "newest successful one that has what is needed.",
                ),
            }
        ),
    )


def _mapping(plan: Plan, schema: Any) -> ConfigMapping:
    names = [allowed(step.name) for step in plan.steps]

    def for_each_step(given: dict[str, Any] | None) -> dict[str, Any]:
        return {name: {"config": given or {}} for name in names}

    return ConfigMapping(config_schema=schema, config_fn=for_each_step)


def _optional(schema: JsonSchema) -> bool:
    """Whether a run needs no input at all: then an empty launch is a complete one."""
    known = properties(schema)
    return all("default" in known.get(n, {}) for n in schema.get("required") or ())


def _input(schema: JsonSchema) -> Any:
    """A field that the schema does not name is a mistake here, unless the schema speaks of others;
    inside the fields JSON Schema's own rule holds, by which others are allowed."""
    others = schema.get("additionalProperties") not in (None, False)
    if others or "patternProperties" in schema or not properties(schema):
        return cast("Any", Permissive(_fields(schema)))
    return cast("Any", Shape(_fields(schema)))


def _fields(schema: JsonSchema) -> dict[str, Field]:
    required = cast("list[str]", schema.get("required") or [])
    return {n: _field(p, required=n in required) for n, p in properties(schema).items()}


def _field(schema: JsonSchema, *, required: bool) -> Field:
    description = cast("str | None", schema.get("description"))
    default = conform(schema.get("default"), schema)
    if default is not None:
        return Field(_type(schema), default_value=default, description=description)
    required = required and "default" not in schema
    type_ = _type(schema)
    if isinstance(type_, Permissive) and not required:
        type_ = Noneable(type_)  # Else the launchpad would fill in an empty one.
    return Field(type_, is_required=required, description=description)


def _type(schema: JsonSchema) -> Any:
    kind, nullable = simple_type(schema)
    inner: Any
    match kind:
        case "string":
            inner = _text(schema)
        case "array":
            inner = Array(_item(schema))
        case "object":
            inner = _object(schema)
        case _ if kind in _SCALARS:
            inner = _SCALARS[kind]
        case _:
            return AnyValue
    return Noneable(inner) if nullable else inner


def _object(schema: JsonSchema) -> Any:
    closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    fields = _fields(schema)
    return cast("Any", Shape(fields) if closed else Permissive(fields))


def _item(schema: JsonSchema) -> Any:
    """Dagster takes null in an array only where that is said."""
    items = schema.get("items")
    described = isinstance(items, dict) and "prefixItems" not in schema
    type_ = _type(cast("JsonSchema", items)) if described else AnyValue
    return Noneable(AnyValue) if type_ is AnyValue else type_


def _text(schema: JsonSchema) -> Any:
    """A string, or one of a few; Dagster wants a name of its own for each such type."""
    choices = [c for c in schema.get("enum") or () if c is not None]
    if not choices or not all(isinstance(c, str) for c in choices):
        return str
    texts = cast("list[str]", list(dict.fromkeys(choices)))
    told = hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:12]
    return Enum(f"OneOf_{told}", [EnumValue(text) for text in texts])
