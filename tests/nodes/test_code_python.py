"""`code.python`: what it asks of a runner, and what an author can write."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.nodes.code_python import Python, PythonConfig
from tests.support.contexts import SmallRunner, context
from tests.support.documents import codes, minimal, plan, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue


def node(**config: JsonValue) -> JsonObject:
    return {"c": {"kind": "code.python", "with": {"code": "total = 1", **config}}}


async def test_it_gives_the_names_that_it_was_asked_for() -> None:
    runner = SmallRunner()
    config = PythonConfig(
        code="total = price * rate()", inputs={"price": 2}, outputs=("total",), memory="64Mi"
    )
    given = context(code=runner, setup="def rate(): return 3", timeout=9.0)
    done = await Python().run(given, config)
    assert (done.output, done.log) == ({"total": 6}, "printed")
    (request,) = runner.requests
    assert (request.timeout, request.memory_bytes) == (9.0, 64 * 1024**2)
    assert (request.filename, request.outputs) == ("<node probe>", ("total",))


@pytest.mark.parametrize(
    ("own", "resources", "holds"),
    [("64Mi", 32, 32), ("64Mi", 128, 64), (None, 2048, 2048), (None, None, 1024)],
)
async def test_the_lower_memory_limit_holds(
    own: str | None, resources: int | None, holds: int
) -> None:
    runner = SmallRunner()
    config = PythonConfig(code="x = 1", memory=own) if own else PythonConfig(code="x = 1")
    limit = resources * 1024**2 if resources else None
    await Python().run(replace(context(code=runner), memory_bytes=limit), config)
    assert runner.requests[0].memory_bytes == holds * 1024**2


def test_outputs_may_have_schemas() -> None:
    schemas: JsonObject = {"total": {"type": "number"}, "note": {}}
    step = plan(minimal(node(outputs=schemas))).step("c")
    assert step.output_schema == {
        "type": "object",
        "properties": {"total": {"type": "number"}, "note": {}},
        "required": ["total", "note"],
    }
    step = plan(minimal(node(outputs=["total"]))).step("c")
    assert step.output_schema["properties"] == {"total": {}}


@pytest.mark.parametrize(
    ("config", "code", "pointer"),
    [
        ({"outputs": {"total": {"type": "numbr"}}}, "AF112", "outputs/total"),
        ({"outputs": {"total": 5}}, "AF112", "outputs/total"),
        ({"outputs": ["not-a-name"]}, "AF113", "outputs/0"),
        ({"outputs": 5}, "AF112", "outputs"),
        ({"inputs": {"not-a-name": 1}}, "AF113", "inputs/not-a-name"),
        ({"memory": "5 GB"}, "AF120", "memory"),
        ({"code": "x = '{{input.body}}'"}, "AF209", "code"),
    ],
)
def test_what_is_wrong_with_a_config(config: JsonObject, code: str, pointer: str) -> None:
    inputs: JsonObject = {"properties": {"body": {"type": "string"}}}
    (found,) = problems(minimal(node(**config), inputs=inputs))
    assert (found.code, found.pointer) == (code, f"/spec/nodes/c/with/{pointer}")


@pytest.mark.parametrize("code", ["x = f'{{{1}}}'", "x = '{{ }} {{{{'", "x = {{1}}", "{{1 + }}"])
def test_braces_in_code_are_pythons(code: str) -> None:
    assert codes(minimal(node(code=code))) == []


def test_values_come_in_by_inputs() -> None:
    inputs: JsonObject = {"properties": {"body": {"type": "string"}}}
    given = node(inputs={"body": "{{input.body}}", "rates": [1, "{{run.id}}"]})
    assert codes(minimal(given, inputs=inputs)) == []
