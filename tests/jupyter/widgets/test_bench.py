"""The test bench, on the tests of a document, with the model that is built in."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.jupyter.project_widgets import document_bench
from agentflow_dagster.jupyter.services import NamedTest
from agentflow_dagster.jupyter.widgets.bench import TestBench
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.project import Project
from agentflow_dagster.ports.document_tests import TestReport

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENT = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: greeter}
spec:
  inputs: {type: object, required: [name], properties: {name: {type: string}}}
  nodes:
    greet:
      kind: transform.format
      with: {values: {name: "{{input.name}}"}, template: "Hello {{ name }}!"}
  outputs: {text: "{{greet.output.text}}"}
  tests:
    greets:
      description: By name.
      input: {name: Ada}
      expect: [{value: outputs.text, equals: "Hello Ada!"}]
    shouts:
      input: {name: Ada}
      expect: [{value: outputs.text, equals: "HELLO ADA!"}]
"""


@pytest.fixture
def bench(tmp_path: Path) -> TestBench:
    (tmp_path / "definitions.py").touch()
    (tmp_path / "notebooks").mkdir()
    file = tmp_path / "notebooks" / "greeter.agent.yaml"
    file.write_text(DOCUMENT)
    return document_bench(Project.find(tmp_path), all_kinds(), "greeter")


def results(bench: TestBench) -> dict[str, str]:
    tests: Any = bench.tests
    return {test["name"]: test["state"] for test in tests}


def test_all_are_run_and_what_does_not_hold_is_told(bench: TestBench) -> None:
    assert results(bench) == {"greets": "not run", "shouts": "not run"}
    assert bench.passed is None
    bench._handle_custom_msg({"do": "run"}, [])
    bench.wait(60)
    assert results(bench) == {"greets": "passed", "shouts": "failed"}
    assert bench.passed is False
    tests: Any = bench.tests
    greets, shouts = tests
    assert (greets["lines"], greets["cases"], greets["passed"]) == ([], 1, 1)
    assert [line for line in shouts["lines"] if line[:4] in {"  - ", "  + "}] == [
        "  - HELLO ADA!",
        "  + Hello Ada!",
    ]
    assert greets["seconds"] > 0
    assert not bench.busy
    assert "+ Hello Ada!" in bench.as_text()


def test_one_is_run(bench: TestBench) -> None:
    bench._handle_custom_msg({"do": "run", "names": ["greets"]}, [])
    bench.wait(60)
    assert results(bench) == {"greets": "passed", "shouts": "not run"}


def test_what_is_stopped_counts_as_not_run() -> None:
    begun = threading.Event()

    async def run_test(name: str) -> TestReport:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError(name)

    bench = TestBench("a", [NamedTest("one", ""), NamedTest("two", "")], run_test)
    bench.run()
    assert begun.wait(30)
    assert results(bench) == {"one": "running", "two": "waiting"}
    bench.cancel()
    bench.wait(30)
    assert results(bench) == {"one": "not run", "two": "not run"}
    assert not bench.busy


def test_a_test_that_breaks_does_not_end_the_others() -> None:
    async def run_test(name: str) -> TestReport:
        if name == "one":
            raise ValueError("broken")
        return TestReport("a", name, None, ())

    bench = TestBench("a", [NamedTest("one", ""), NamedTest("two", "")], run_test)
    bench.run()
    bench.wait(30)
    assert bench.tests[0]["lines"] == ["broken"]
    assert results(bench)["one"] == "failed"
    assert results(bench)["two"] != "waiting"


def test_without_tests() -> None:
    async def run_test(name: str) -> TestReport:
        raise AssertionError(name)

    assert "None yet" in TestBench("a", [], run_test).as_text()


def test_as_a_picture_it_says_what_does_not_hold(bench: TestBench) -> None:
    bench.run()
    bench.wait(60)
    bundle, _ = bench._repr_mimebundle_()
    assert bundle.keys() == {"text/plain", "text/html"}
    assert "shouts:\n" in bundle["text/plain"]
    assert "HELLO ADA!" in bundle["text/html"]
