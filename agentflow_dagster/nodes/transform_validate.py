"""`transform.validate`: data held against a JSON Schema and expectations, as asset checks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from agentflow_dagster.errors import ChecksFailed
from agentflow_dagster.nodes.apart import done_apart
from agentflow_dagster.nodes.schema_field import SchemaField
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.checks import CheckResult, CheckSpec
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue, Value

MAX_PROBLEMS = 100
SCHEMA_CHECK = "schema"
_EXPECTATION = re.compile(r"^expect_[a-z0-9_]{1,100}$")
_REFUSED = re.compile(r"like_pattern|query_results|other_table")
"""What needs SQL, which a table in memory has none of."""
_CODE = frozenset({"row_condition", "condition_parser"})


def _kwargs(kwargs: dict[str, Any]) -> dict[str, Any]:
    if found := _CODE & kwargs.keys():
        raise ValueError(f"{min(found)!r} would be run as code; select the rows in a node before")
    if any("$PARAMETER" in value for value in kwargs.values() if isinstance(value, dict)):
        raise ValueError("there are no suite parameters; write an expression, {{ }}, in its place")
    return kwargs


def _type(name: str) -> str:
    if not _EXPECTATION.match(name) or _REFUSED.search(name):
        raise ValueError(f"no expectation of tables in memory is called {name!r}")
    return name


class Expectation(KindConfig):
    """One expectation, as suites of Great Expectations write it."""

    type: Annotated[str, AfterValidator(_type)] = Field(
        description="Its name there, such as `expect_column_values_to_not_be_null`."
    )
    kwargs: Annotated[dict[str, Any], AfterValidator(_kwargs)] = Field(
        default_factory=dict[str, Any],
        description="What it is given: `column`, `min_value`, `mostly` and so on.",
    )
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$", max_length=100)] | None = (
        Field(default=None, description="The name of its check; by default its type and column.")
    )


class ValidateConfig(KindConfig):
    """What is judged, by what, and what follows where it does not hold."""

    value: Any = Field(description="JSON, or a table.")
    schema_: SchemaField | None = Field(
        default=None, alias="schema", description="JSON Schema; a table is the list of its rows."
    )
    expectations: tuple[Expectation, ...] = Field(
        default=(),
        max_length=200,
        description="What Great Expectations is to judge; the value is a table or list of objects.",
    )
    on_invalid: Literal["fail", "warn", "route"] = Field(
        default="fail",
        description="Fail the step; go on, with a failed check; or leave by the port `invalid`.",
    )

    @model_validator(mode="after")
    def _something(self) -> ValidateConfig:
        if self.schema_ is None and not self.expectations:
            raise ValueError("give a `schema`, `expectations`, or both")
        names = [expectation.name for expectation in self.expectations if expectation.name]
        if len(set(names)) < len(names) or SCHEMA_CHECK in names:
            raise ValueError("two checks have the same name")
        return self


class Validate(Kind[ValidateConfig]):
    """Gives `{valid, value, problems}`; `value` is what came in.

    Every schema and expectation is a check of the node's asset.
    """

    name = "transform.validate"
    summary = "Holds data against a JSON Schema and expectations."
    example = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: intake}
spec:
  inputs: {type: object, required: [orders], properties: {orders: {type: array}}}
  nodes:
    contract:
      kind: transform.validate
      with:
        value: "{{input.orders}}"
        schema: {type: array, items: {type: object, required: [id, price]}}
        expectations:
          - {type: expect_column_values_to_be_unique, kwargs: {column: id}}
          - {type: expect_column_values_to_be_between, kwargs: {column: price, min_value: 0}}
        onInvalid: route
    total:
      kind: transform.table
      with:
        inputs: {orders: "{{contract.output.value}}"}
        sql: SELECT sum(price) AS total FROM orders
        as: rows
    refuse:
      kind: transform.format
      after: [contract.invalid]
      with:
        values: {problems: "{{has(contract.output) ? contract.output.problems : []}}"}
        template: "{% for p in problems %}{{ p.check }}: {{ p.message }}; {% endfor %}"
  outputs:
    total: "{{has(total.output) ? total.output.rows : []}}"
    refused: "{{has(refuse.output) ? refuse.output.text : ''}}"
"""
    config = ValidateConfig
    fixed = frozenset({"schema", "expectations", "onInvalid"})

    def ports(self, config: RawConfig) -> tuple[str, ...]:
        return ("result", "invalid") if config.get("onInvalid") == "route" else ("result",)

    def checks(self, config: RawConfig) -> tuple[CheckSpec, ...]:
        blocking = config.get("onInvalid", "fail") == "fail"
        given = cast("list[dict[str, Any]]", config.get("expectations") or [])
        declared = [
            CheckSpec(name, _described(one), blocking=blocking)
            for name, one in zip(_names(given), given, strict=True)
        ]
        if config.get("schema") is not None:
            declared.insert(0, CheckSpec(SCHEMA_CHECK, "The JSON Schema.", blocking=blocking))
        return tuple(declared)

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        schema = config.get("schema")
        known = isinstance(schema, dict) and config.get("onInvalid") != "warn"
        problem = {
            "type": "object",
            "properties": {"check": {"type": "string"}, "message": {"type": "string"}},
            "required": ["check", "message"],
            "additionalProperties": False,
        }
        return {
            "type": "object",
            "properties": {
                "valid": {"type": "boolean"},
                "value": schema if known else {},
                "problems": {"type": "array", "items": problem},
            },
            "required": ["valid", "value", "problems"],
            "additionalProperties": False,
        }

    async def run(self, context: NodeContext, config: ValidateConfig) -> NodeResult:
        given = [one.model_dump() for one in config.expectations]
        expectations: list[Value] = [
            {"name": name, "type": one["type"], "kwargs": one["kwargs"]}
            for name, one in zip(_names(given), given, strict=True)
        ]
        judged = await done_apart(
            context,
            "judging",
            {
                "value": config.value,
                "schema": config.schema_,
                "expectations": expectations,
                "most": MAX_PROBLEMS,
            },
            hint="Correct the expectation, or what is judged.",
        )
        told = cast("list[JsonObject]", judged)
        checks = tuple(_result(one) for one in told)
        problems: list[Value] = [
            {"check": str(one["check"]), "message": str(message)}
            for one in told
            for message in cast("list[JsonValue]", one["problems"])
        ]
        valid = all(check.passed for check in checks)
        if not valid and config.on_invalid == "fail":
            raise _broken(context, checks)
        output: dict[str, Value] = {"valid": valid, "value": config.value, "problems": problems}
        port = "invalid" if not valid and config.on_invalid == "route" else "result"
        return NodeResult(output, port=port, checks=checks)


def _names(expectations: list[dict[str, Any]]) -> list[str]:
    """A name for each: its own, or its type and columns, numbered where another has it."""
    taken = {SCHEMA_CHECK, *(str(one["name"]) for one in expectations if one.get("name"))}
    names: list[str] = []
    for one in expectations:
        if one.get("name"):
            names.append(str(one["name"]))
            continue
        kwargs = cast("dict[str, Any]", one.get("kwargs") or {})
        column = re.sub(r"[^A-Za-z0-9_]", "_", str(kwargs.get("column", "")))[:60]
        base = f"{one['type']}__{column}" if column else str(one["type"])
        name = next(
            n for i in range(1, 400) if (n := base if i == 1 else f"{base}_{i}") not in taken
        )
        taken.add(name)
        names.append(name)
    return names


def _described(expectation: Mapping[str, Any]) -> str:
    kwargs = cast("dict[str, Any]", expectation.get("kwargs") or {})
    told = ", ".join(f"{name} {value}" for name, value in kwargs.items())
    return f"{expectation['type'].replace('_', ' ')}: {told}"[:500]


def _result(one: JsonObject) -> CheckResult:
    problems = [str(message) for message in cast("list[JsonValue]", one["problems"])]
    told = "; ".join(problems[:5]) + (f" (and {len(problems) - 5} more)" if problems[5:] else "")
    facts = cast("JsonObject", one["facts"])
    return CheckResult(str(one["check"]), bool(one["passed"]), told, facts)


def _broken(context: NodeContext, checks: tuple[CheckResult, ...]) -> ChecksFailed:
    failed = [f"{check.name}: {check.description}" for check in checks if not check.passed]
    return ChecksFailed(
        f"{context.node!r} refuses its data: {' | '.join(failed[:5])}.",
        checks=checks,
        hint="Correct the data, or say what is to follow: `onInvalid: warn` or `route`.",
    )
