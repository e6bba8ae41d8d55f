"""A run's input in Dagster's launchpad: typed fields, defaults filled in, or a source run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dagster import Array, ConfigMapping, Field, Noneable, Permissive, Selector, Shape

from agentflow_dagster.graph.cel_types import simple_type

if TYPE_CHECKING:
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.spec.values import JsonObject, JsonSchema

_SCALARS: dict[str, Any] = {"string": str, "integer": int, "number": float, "boolean": bool}
STEP_CONFIG = cast("Any", Permissive())


def input_mapping(plan: Plan) -> ConfigMapping:
    """The agent's config: `input` starts a run of its own, `source_run` says which run's input and
    upstream values a partial run takes."""
    schema = cast("JsonSchema", plan.agent.spec.inputs)
    names = [step.name for step in plan.steps]
    choice = cast(
        "Any",
        Selector(
            {
                "input": Field(_shape(schema), description="Starts a run from this input."),
                "source_run": Field(
                    str, description="A partial run: takes input and upstream values from this run."
                ),
            }
        ),
    )

    def for_each_step(given: dict[str, Any] | None) -> dict[str, Any]:
        return {name: {"config": given or {}} for name in names}

    return ConfigMapping(
        config_schema=Field(choice, is_required=False) if _optional(schema) else choice,
        config_fn=for_each_step,
    )


def run_config(agent: str, input_: JsonObject) -> dict[str, Any]:
    """The run config that starts an agent with an input."""
    return {"ops": {agent: {"config": {"input": input_}}}}


def _optional(schema: JsonSchema) -> bool:
    """Whether a run needs no input at all: then an empty launch is a complete one."""
    properties = cast("dict[str, JsonSchema]", schema.get("properties") or {})
    return all("default" in properties.get(n, {}) for n in schema.get("required") or ())


def _shape(schema: JsonSchema) -> Any:
    properties = cast("dict[str, JsonSchema]", schema.get("properties") or {})
    required = set(cast("list[str]", schema.get("required") or []))
    fields = {name: _field(p, required=name in required) for name, p in properties.items()}
    if not properties or schema.get("additionalProperties"):
        return cast("Any", Permissive(fields))
    return cast("Any", Shape(fields))


def _field(schema: JsonSchema, *, required: bool) -> Field:
    description = cast("str | None", schema.get("description"))
    type_ = _type(schema)
    if "default" in schema and schema["default"] is not None:
        return Field(type_, default_value=schema["default"], description=description)
    return Field(type_, is_required=required, description=description)


def _type(schema: JsonSchema) -> Any:
    kind, nullable = simple_type(schema)
    inner: Any
    if kind in _SCALARS:
        inner = _SCALARS[kind]
    elif kind == "array":
        items = schema.get("items")
        inner = Array(_type(cast("JsonSchema", items) if isinstance(items, dict) else {}))
    elif kind == "object":
        inner = _shape(schema)
    else:
        from dagster import Any as AnyValue

        return AnyValue
    return Noneable(inner) if nullable else inner
