"""`transform.validate`: what it judges, what it gives, and what it never runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import pytest

from agentflow_dagster.errors import ChecksFailed, RunError
from agentflow_dagster.nodes.transform_validate import Validate, ValidateConfig
from agentflow_dagster.sandbox import ChildProcess
from agentflow_dagster.spec.values import pack
from tests.support.contexts import context
from tests.support.documents import codes, minimal, plan, problems

if TYPE_CHECKING:
    from agentflow_dagster.ports.kind import NodeResult
    from agentflow_dagster.spec.values import JsonObject

ORDER: JsonObject = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string", "pattern": "^A"}, "price": {"type": "number"}},
}
NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "a"}}
AT_LEAST_2 = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "a", "min_value": 2},
}


async def judged(value: Any, **config: Any) -> NodeResult:
    given = context(code=ChildProcess(), timeout=60.0)
    return await Validate().run(
        given, ValidateConfig.model_validate({"value": pack(value), **config})
    )


async def test_a_schema_that_is_met() -> None:
    done = await judged({"id": "A1"}, schema=ORDER)
    assert done.output == {"valid": True, "value": {"id": "A1"}, "problems": []}
    assert [(check.name, check.passed) for check in done.checks] == [("schema", True)]


@pytest.mark.parametrize(("way", "port"), [("warn", "result"), ("route", "invalid")])
async def test_a_schema_that_is_not_met(way: str, port: str) -> None:
    done = await judged({"id": "B", "price": "x"}, schema=ORDER, onInvalid=way)
    output = cast("Any", done.output)
    assert (done.port, output["valid"]) == (port, False)
    assert {problem["message"].partition(":")[0] for problem in output["problems"]} == {
        "/id",
        "/price",
    }
    (check,) = done.checks
    assert not check.passed
    assert "/id" in check.description


async def test_a_schema_that_is_not_met_fails_the_step() -> None:
    with pytest.raises(ChecksFailed, match="refuses its data: schema: the value") as caught:
        await judged({}, schema=ORDER)
    assert not caught.value.retryable
    assert [check.passed for check in caught.value.checks] == [False]


async def test_expectations() -> None:
    rows = [{"a": 1}, {"a": 2}, {"a": None}]
    missing = {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "nope"}}
    kept = {**NOT_NULL, "kwargs": {"column": "a", "mostly": 0.5}, "name": "kept"}
    done = await judged(rows, expectations=[kept, AT_LEAST_2, missing], onInvalid="warn")
    first, second, third = done.checks
    assert (first.name, first.passed, first.facts["unexpected_count"]) == ("kept", True, 1)
    assert (second.name, second.passed) == ("expect_column_values_to_be_between__a", False)
    assert (second.description, second.facts["unexpected"]) == ("1 of 3 values: 1.0", [1.0])
    assert not third.passed
    assert "nope" in third.description
    declared = Validate().checks({"expectations": cast("Any", [kept, AT_LEAST_2, missing])})
    assert [spec.name for spec in declared] == [check.name for check in done.checks]


async def test_a_table_by_schema_and_expectations() -> None:
    frame = pd.DataFrame({"a": [2, 3]})
    schema = {"type": "array", "items": {"properties": {"a": {"type": "integer"}}}}
    done = await judged(frame, schema=schema, expectations=[AT_LEAST_2])
    assert [check.passed for check in done.checks] == [True, True]
    given = {**AT_LEAST_2, "kwargs": {"column": "a", "min_valu": 2}}
    with pytest.raises(RunError, match="cannot be used"):
        await judged(frame, expectations=[given])


async def test_expectations_judge_tables_alone() -> None:
    with pytest.raises(RunError, match="a table or a list of objects"):
        await judged({"a": 1}, expectations=[NOT_NULL])


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"schema": {"type": "strng"}},
        {"expectations": [{"type": "expect_nothing; import os"}]},
        {"expectations": [{"type": "unexpected_rows_expectation"}]},
        {"expectations": [{"type": "expect_query_results_to_match_comparison"}]},
        {"expectations": [{**NOT_NULL, "kwargs": {"column": "a", "row_condition": "@x()"}}]},
        {"expectations": [{**NOT_NULL, "kwargs": {"column": {"$PARAMETER": "1"}}}]},
        {"expectations": [{**NOT_NULL, "name": "x"}, {**AT_LEAST_2, "name": "x"}]},
    ],
)
def test_what_is_wrong_with_a_config(config: JsonObject) -> None:
    nodes: JsonObject = {"v": {"kind": "transform.validate", "with": {"value": 1, **config}}}
    assert codes(minimal(nodes)) == ["AF112"]


def test_equal_expectations_have_names_of_their_own() -> None:
    given: JsonObject = {"schema": {}, "expectations": cast("Any", [NOT_NULL, NOT_NULL])}
    base = "expect_column_values_to_not_be_null__a"
    assert [spec.name for spec in Validate().checks(given)] == ["schema", base, f"{base}_2"]
    assert all(spec.blocking for spec in Validate().checks(given))


def test_what_it_puts_out_is_known() -> None:
    def node(way: str) -> JsonObject:
        config: JsonObject = {"value": "{{input}}", "schema": ORDER, "onInvalid": way}
        return {"v": {"kind": "transform.validate", "with": config}}

    read: JsonObject = {"x": "{{v.output.value.id + 1}}"}
    assert codes(minimal(node("fail"), outputs=read)) == ["AF204"]
    assert codes(minimal(node("warn"), outputs=read)) == []
    assert plan(minimal(node("route"))).step("v").ports == ("result", "invalid")


def test_what_follows_an_invalid_value_reads_its_problems_guarded() -> None:
    config: JsonObject = {"value": "{{input}}", "schema": ORDER, "onInvalid": "route"}
    told = "{{has(v.output) ? v.output.problems[0].message : ''}}"
    nodes: JsonObject = {
        "v": {"kind": "transform.validate", "with": config},
        "n": {"kind": "ai.chat", "after": ["v.invalid"], "with": {"prompt": told}},
    }
    assert [d for d in problems(minimal(nodes)) if d.severity == "error"] == []
    edges = plan(minimal(nodes)).step("n").edges
    assert {(e.port, e.role) for e in edges} == {("invalid", "required"), ("result", "optional")}
