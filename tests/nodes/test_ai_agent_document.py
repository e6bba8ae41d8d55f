"""`ai.agent` in documents: what is checked, drawn, written in cells and Python, and mocked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.engine.step import Services
from agentflow_dagster.graph.drawing import graph_view
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.notebook import read_agent
from agentflow_dagster.notebook.writing import write_notebook
from agentflow_dagster.operations.testing import DocumentTests
from agentflow_dagster.spec.builder_code import python_code
from agentflow_dagster.spec.builder_reading import read_python
from agentflow_dagster.spec.parse import parse_agent
from tests.support.documents import codes, minimal, plan, problems
from tests.support.tool_agent import ANSWER, agent, bench, says, tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject

KINDS = builtin_kinds()


class TestProblems:
    @pytest.mark.parametrize(
        ("config", "code", "told"),
        [
            ({"tools": {}}, "AF112", "tools"),
            ({"tools": {"body": tool()}}, "AF112", "body"),
            ({"tools": {"answer": tool()}, "schema": ANSWER}, "AF112", "answer"),
            ({"people": ["mara"]}, "AF112", "people"),
            ({"tools": {"d": tool(outputs={"x": "{{args.m}}"})}}, "AF203", "m"),
            ({"tools": {"d": tool(outputs={"x": "{{item}}"})}}, "AF202", "item"),
            ({"tools": {"d": tool(parameters={"type": "array"})}}, "AF112", "object"),
        ],
    )
    def test_each_is_told_in_its_place(self, config: JsonObject, code: str, told: str) -> None:
        found = [d for d in problems(agent(**config)) if d.code == code]
        assert found, problems(agent(**config))
        assert told in str(found[0])
        assert found[0].pointer.startswith("/spec/nodes/helper")

    def test_arguments_have_their_types_in_each_tool(self) -> None:
        text: JsonObject = {"type": "object", "properties": {"n": {"type": "string"}}}
        tools: JsonObject = {
            "number": tool(outputs={"x": "{{args.n + 1}}"}),
            "text": tool(parameters=text, outputs={"x": "{{args.n.size()}}"}),
        }
        assert codes(agent(tools=tools)) == []
        cast("Any", tools)["text"]["outputs"] = {"x": "{{args.n + 1}}"}
        assert len(codes(agent(tools=tools))) == 1

    def test_agents_may_be_tools_of_agents(self) -> None:
        inner: JsonObject = {"prompt": "{{args.n}}?", "tools": {"double": tool()}}
        outer = tool(outputs={"said": "{{ask.output.text}}"})
        cast("Any", outer)["nodes"] = {"ask": {"kind": "ai.agent", "with": inner}}
        assert codes(agent(tools={"ask_it": outer})) == []


def waiting(of: Callable[[], JsonObject]) -> bool:
    return plan(of()).step("helper").waits


def test_it_waits_where_a_person_is_asked() -> None:
    assert not waiting(agent)
    assert waiting(lambda: agent(approve="always"))
    asks: JsonObject = {"kind": "human.approval", "with": {"ask": "Shall it?"}}
    tools: JsonObject = {"ask": {"description": "Asks.", "nodes": {"it": asks}}}
    assert waiting(lambda: agent(tools=tools))


def parsed(document: JsonObject) -> Agent:
    found = parse_agent(document)
    assert not isinstance(found, tuple), found
    return found


TWO = agent(tools={"double": tool(), "halve": tool("d = n // 2")}, schema=ANSWER, maxSteps=3)


def test_each_tool_is_drawn_with_its_nodes() -> None:
    view = graph_view(parsed(TWO), KINDS)
    assert [node.id for node in view.nodes] == [
        "helper",
        "helper.double",
        "helper.halve",
        "helper.double.work",
        "helper.halve.work",
    ]


def test_as_a_notebook_and_back() -> None:
    text = write_notebook(TWO, KINDS)
    back, _, found = read_agent(text, file="x.ipynb", kinds=KINDS)
    assert back is not None, [str(one) for one in found]
    assert parsed(back) == parsed(TWO)
    assert '"How much?"' in text


def test_as_python_and_back() -> None:
    code = python_code(TWO)
    assert isinstance(code, str)
    back = read_python(code)
    assert back.document is not None
    assert parsed(back.document) == parsed(TWO)


async def test_what_stands_in_for_it_and_for_what_its_tools_do() -> None:
    inner: JsonObject = {
        "mocks": {"helper.double.work": {"output": {"d": 7}}},
        "expect": [{"value": "helper.output.steps[0].output.d", "equals": 7}],
    }
    whole: JsonObject = {
        "mocks": {"helper": {"output": {"text": "hi", "steps": []}}},
        "expect": [{"value": "helper.output.text", "equals": "hi"}],
    }
    nodes = cast("Any", agent())["spec"]["nodes"]
    made = plan(minimal(nodes, tests={"inner": inner, "whole": whole}))
    for name in ("inner", "whole"):
        here = bench(says("", ("double", {"n": 1})), says("ok"))
        services = Services(KINDS, here.model, here.code, EnvironmentSecrets({}))
        report = await DocumentTests().run(made, name, services, cast("Any", None))
        assert report.passed, report
        assert not here.code.requests
