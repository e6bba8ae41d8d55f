"""Tests of documents are run: mocks, nodes alone, cases, agents in agents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.engine.step import Services
from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.testing import DocumentTests
from tests.support.contexts import SmallModel, SmallRunner
from tests.support.documents import minimal, plan

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.ports.document_tests import TestReport
    from agentflow_dagster.spec.values import JsonObject, JsonValue

ASK: JsonObject = {"kind": "ai.chat", "with": {"prompt": "{{input.body}}"}}
TELL: JsonObject = {"kind": "ai.chat", "with": {"prompt": "Tell: {{ask.output.text}}"}}
POST: JsonObject = {
    "kind": "tool.http",
    "with": {"method": "POST", "url": "{{env.NOT_SET}}", "json": {"t": "{{ask.output.text}}"}},
}
INPUTS: JsonObject = {
    "type": "object",
    "required": ["body"],
    "properties": {"body": {"type": "string"}},
}
OUTPUTS: JsonObject = {"text": "{{tell.output.text}}"}


def no_agents(reference: str) -> Plan:
    raise RunError(f"No {reference!r} here.", retryable=False)


class Bench:
    """A model that says what it is asked, and where data sets lie."""

    def __init__(self, data: Path | None = None) -> None:
        self.model = SmallModel("said")
        self.code = SmallRunner()
        self.data = data

    async def run(
        self,
        test: JsonObject,
        nodes: JsonObject | None = None,
        *,
        find: Any = no_agents,
        **spec: Any,
    ) -> TestReport:
        nodes = nodes or {"ask": ASK, "tell": TELL}
        given = {"inputs": INPUTS, "outputs": OUTPUTS if "tell" in nodes else {}, **spec}
        agent = plan(minimal(nodes, **given, tests={"one": test}))
        services = Services(
            kinds=builtin_kinds(),
            model=self.model,
            code=self.code,
            secrets=EnvironmentSecrets({}),
            data=self.data,
        )
        return await DocumentTests().run(agent, "one", services, find)


def messages(report: TestReport) -> list[str]:
    return [broken.message for case in report.cases for broken in case.broken]


SAID: JsonObject = {"value": "outputs.text", "equals": "said"}


async def test_a_test_passes_and_its_cost_is_known() -> None:
    report = await Bench().run({"input": {"body": "x"}, "expect": [SAID]})
    assert report.passed, messages(report)
    (case,) = report.cases
    assert (case.number, case.tokens, case.cost_usd) == (None, 30, 0.002)
    assert case.seconds > 0


async def test_a_test_fails_and_says_where() -> None:
    report = await Bench().run({"input": {"body": "x"}, "expect": [{**SAID, "equals": "other"}]})
    assert not report.passed
    ((broken,),) = (case.broken for case in report.cases)
    assert (broken.place, broken.expected, broken.got) == ("expect/0/equals", "other", "said")


class TestMocks:
    async def test_a_mocked_node_is_not_run(self) -> None:
        bench = Bench()
        mocks: JsonObject = {"ask": {"output": {"text": "mocked"}}}
        report = await bench.run({"input": {"body": "x"}, "mocks": mocks, "expect": [SAID]})
        assert report.passed, messages(report)
        assert [r.messages[-1].content for r in bench.model.requests] == ["Tell: mocked"]

    async def test_what_a_mocked_node_would_need_is_not_asked_for(self) -> None:
        nodes: JsonObject = {"ask": ASK, "post": POST}
        mocks: JsonObject = {"post": {"output": {"status": 201}}}
        expect: JsonObject = {"value": "post.output.status", "equals": 201}
        report = await Bench().run(
            {"input": {"body": "x"}, "mocks": mocks, "expect": [expect]}, nodes, env=["NOT_SET"]
        )
        assert report.passed, messages(report)

    async def test_a_mocked_failure_fails_the_run_or_is_handled(self) -> None:
        mocks: JsonObject = {"ask": {"error": "The model is away."}}
        expect: list[Any] = [
            {"status": "FAILURE"},
            {"failure": {"contains": "ask: The model is away."}},
            {"skipped": ["tell"]},
            {"value": "outputs.text", "equals": None},
        ]
        test: JsonObject = {"input": {"body": "x"}, "mocks": mocks, "expect": expect}
        report = await Bench().run(test)
        assert report.passed, messages(report)
        nodes: JsonObject = {
            "ask": {**ASK, "onError": {"to": "tell"}},
            "tell": {"kind": "ai.chat", "with": {"prompt": "{{ask.error.message}}"}},
        }
        handled: JsonObject = {"input": {"body": "x"}, "mocks": mocks, "expect": [SAID]}
        outputs = {"text": "{{has(tell.output) ? tell.output.text : ''}}"}
        report = await Bench().run(handled, nodes, outputs=outputs)
        assert report.passed, messages(report)

    async def test_a_mock_leaves_by_a_port(self) -> None:
        nodes: JsonObject = {
            "route": {
                "kind": "logic.switch",
                "with": {"cases": {"bug": "{{input.body == 'bug'}}"}, "default": "other"},
            },
            "ask": {**ASK, "after": ["route.bug"]},
            "other": {**ASK, "after": ["route.other"]},
        }
        expect: JsonObject = {"skipped": ["other"]}
        test: JsonObject = {
            "input": {"body": "x"},
            "mocks": {"route": {"port": "bug"}},
            "expect": [expect],
        }
        report = await Bench().run(test, nodes)
        assert report.passed, messages(report)

    async def test_mocks_in_bodies(self) -> None:
        body: JsonObject = {
            "nodes": {"say": {"kind": "ai.chat", "with": {"prompt": "{{item}}"}}},
            "outputs": {"t": "{{say.output.text}}"},
        }
        nodes: JsonObject = {
            "each": {"kind": "logic.loop", "with": {"over": ["a", "b"], "body": body}},
            "sides": {
                "kind": "logic.parallel",
                "with": {
                    "branches": {
                        "left": {"nodes": {"say": ASK}, "outputs": {"t": "{{say.output.text}}"}}
                    }
                },
            },
        }
        mocks: JsonObject = {
            "each.say": {"output": {"text": "every"}},
            "each[1].say": {"output": {"text": "second"}},
            "sides.left.say": {"output": {"text": "left"}},
        }
        expect: list[Any] = [
            {"value": "{{each.output.items.map(i, i.t)}}", "equals": ["every", "second"]},
            {"value": "sides.output.left.t", "equals": "left"},
        ]
        bench = Bench()
        report = await bench.run({"input": {"body": "x"}, "mocks": mocks, "expect": expect}, nodes)
        assert report.passed, messages(report)
        assert bench.model.requests == []


async def test_a_node_alone() -> None:
    bench = Bench()
    expect: JsonObject = {"value": "tell.output.text", "equals": "said"}
    test: JsonObject = {"node": "tell", "given": {"ask": {"text": "given"}}, "expect": [expect]}
    report = await bench.run(test)
    assert report.passed, messages(report)
    assert [r.messages[-1].content for r in bench.model.requests] == ["Tell: given"]


async def test_a_node_alone_without_what_it_reads_fails() -> None:
    expect: JsonObject = {"value": "tell.output.text", "equals": "said"}
    report = await Bench().run({"node": "tell", "expect": [expect]})
    assert not report.passed
    assert any("ask" in message for message in messages(report))


class TestCases:
    ROWS = ({"body": "said", "n": 1}, {"body": "other", "n": 2}, {"body": "said", "n": 3})

    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        lines = [json.dumps(row) for row in self.ROWS]
        (tmp_path / "a.jsonl").write_text("\n".join(lines))
        return tmp_path

    TEST: ClassVar[JsonObject] = {
        "input": {"body": "{{case.body}}"},
        "cases": {"file": "a.jsonl"},
        "expect": [{"value": "outputs.text", "equals": "{{case.body}}"}],
    }

    async def test_each_row_is_a_case(self, data: Path) -> None:
        report = await Bench(data).run(self.TEST)
        assert [(case.number, case.passed) for case in report.cases] == [
            (1, True),
            (2, False),
            (3, True),
        ]
        assert not report.passed
        assert report.rate == pytest.approx(2 / 3)

    async def test_some_may_fail(self, data: Path) -> None:
        assert (await Bench(data).run({**self.TEST, "passRate": 0.6})).passed
        assert not (await Bench(data).run({**self.TEST, "passRate": 0.7})).passed

    async def test_rows_are_picked(self, data: Path) -> None:
        cases: JsonObject = {"file": "a.jsonl", "where": "{{case.n != 2.0}}"}
        report = await Bench(data).run({**self.TEST, "cases": cases})
        assert report.passed
        assert len(report.cases) == 2

    async def test_a_row_that_does_not_fit_fails_alone(self, data: Path) -> None:
        test: JsonObject = {**self.TEST, "input": {"body": "{{case.n}}"}}
        report = await Bench(data).run({**test, "expect": [{"status": "SUCCESS"}]})
        assert all("does not meet the agent's schema" in message for message in messages(report))
        assert len(report.cases) == 3

    async def test_what_cannot_be_read_is_a_problem_of_the_test(self, data: Path) -> None:
        report = await Bench(data).run({**self.TEST, "cases": {"file": "b.jsonl"}})
        assert not report.passed
        assert "b.jsonl" in report.problem
        cases: JsonObject = {"file": "a.jsonl", "where": "{{case.n > 9.0}}"}
        report = await Bench(data).run({**self.TEST, "cases": cases})
        assert report.problem == "No row of 'a.jsonl' is picked."

    async def test_progress_is_told(self, data: Path) -> None:
        told: list[tuple[int, int]] = []
        agent = plan(
            minimal(
                {"ask": ASK, "tell": TELL}, inputs=INPUTS, outputs=OUTPUTS, tests={"one": self.TEST}
            )
        )
        services = Services(
            builtin_kinds(), SmallModel(), SmallRunner(), EnvironmentSecrets({}), data=data
        )
        await DocumentTests().run(
            agent, "one", services, no_agents, after_case=lambda *done: told.append(done)
        )
        assert told == [(1, 3), (2, 3), (3, 3)]


class TestAgentsInAgents:
    NODES: ClassVar[JsonObject] = {
        "other": {"kind": "agent.run", "with": {"agent": "agents/other", "input": {"body": "b"}}}
    }

    async def test_they_run_in_memory(self) -> None:
        bench = Bench()
        document = minimal({"ask": ASK}, inputs=INPUTS, outputs={"t": "{{ask.output.text}}"})
        other = plan({**document, "metadata": {"name": "other"}})
        expect: list[Any] = [
            {"value": "other.output", "contains": {"t": "said"}},
            {"tokens": {"max": 15}},
        ]
        report = await bench.run(
            {"input": {"body": "x"}, "expect": expect}, self.NODES, find=lambda _: other
        )
        assert report.passed, messages(report)

    async def test_the_memory_of_who_runs_them_holds(self) -> None:
        code: JsonObject = {
            "kind": "code.python",
            "with": {"code": "n = 1", "outputs": ["n"]},
            "resources": {"memory": "1Gi"},
        }
        call: Any = {"other": {**cast("Any", self.NODES["other"]), "resources": {"memory": "64Mi"}}}
        other = plan({**minimal({"code": code}, inputs=INPUTS), "metadata": {"name": "other"}})
        bench = Bench()
        report = await bench.run(
            {"input": {"body": "x"}, "expect": [{"value": "other.output", "equals": {}}]},
            call,
            find=lambda _: other,
        )
        assert report.passed, messages(report)
        assert [asked.memory_bytes for asked in bench.code.requests] == [64 * 1024**2]

    async def test_one_that_there_is_not(self) -> None:
        expect: JsonObject = {"failure": {"contains": "No 'agents/other' here."}}
        report = await Bench().run({"input": {"body": "x"}, "expect": [expect]}, self.NODES)
        assert report.passed, messages(report)

    async def test_one_that_runs_itself(self) -> None:
        small = plan(minimal(self.NODES, inputs=INPUTS))
        expect: JsonObject = {"failure": {"contains": "would run itself"}}
        report = await Bench().run(
            {"input": {"body": "x"}, "expect": [expect]}, self.NODES, find=lambda _: small
        )
        assert report.passed, messages(report)


async def test_of_a_partition() -> None:
    nodes: JsonObject = {"ask": {"kind": "ai.chat", "with": {"prompt": "{{run.partition_start}}"}}}
    bench = Bench()
    spec: Any = {
        "inputs": {"properties": {}},
        "partitions": {"daily": {"start": "2026-01-05"}},
        "outputs": {"day": "{{run.partition}}"},
    }
    expect: JsonObject = {"value": "outputs.day", "equals": "2026-01-06"}
    report = await bench.run({"partition": "2026-01-06", "expect": [expect]}, nodes, **spec)
    assert report.passed, messages(report)
    (request,) = bench.model.requests
    assert request.messages[-1].content == "2026-01-06T00:00:00+00:00"
    report = await bench.run({"partition": "2025-01-06", "expect": [expect]}, nodes, **spec)
    assert "There is no partition '2025-01-06'." in messages(report)[0]


@pytest.mark.parametrize("alone", [{}, {"node": "ask"}])
async def test_inputs_named_after_the_partition_have_it(alone: JsonObject) -> None:
    nodes: JsonObject = {"ask": {"kind": "ai.chat", "with": {"prompt": "{{input.partition_key}}"}}}
    spec: Any = {
        "inputs": {"properties": {"partition_key": {"type": "string", "default": "none"}}},
        "partitions": {"daily": {"start": "2026-01-05"}},
    }
    expect: list[JsonValue] = [{"value": "ask.output.text", "regex": "."}]
    cases: list[tuple[JsonObject, str]] = [({}, "2026-01-06"), ({"partition_key": "mine"}, "mine")]
    for given, asked in cases:
        bench = Bench()
        test: JsonObject = {**alone, "partition": "2026-01-06", "input": given, "expect": expect}
        report = await bench.run(test, nodes, **spec)
        assert report.passed, messages(report)
        assert bench.model.requests[0].messages[-1].content == asked
