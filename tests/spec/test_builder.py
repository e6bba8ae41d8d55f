"""Documents as Python: made, written, and read without being run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster import Agent, LLMConfig, Workflow
from agentflow_dagster.errors import DocumentError, UsageError
from agentflow_dagster.spec import document as documents
from agentflow_dagster.spec.builder import NodeSettings
from agentflow_dagster.spec.builder_code import python_code
from agentflow_dagster.spec.builder_reading import read_python
from agentflow_dagster.spec.canonical import content_hash, is_same
from agentflow_dagster.spec.yaml_reader import read_yaml
from tests.support.documents import agent, sample

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

ROOT = Path(__file__).parents[2]
FILES = [
    *sorted(ROOT.glob("notebooks/*.agent.yaml")),
    *sorted(ROOT.glob("notebooks/*.workflow.yaml")),
    *sorted(ROOT.glob("tests/spec/*.workflow.yaml")),
    ROOT / "tests" / "spec" / "sample.agent.yaml",
]
SEED = Workflow(
    name="data-analysis-pipeline",
    agents=[
        Agent(
            name="data-collector",
            image="agents/collector:v1.0",
            llm=LLMConfig(provider="openai", model="gpt-4"),
            resources={"memory": "512Mi", "cpu": "100m"},
        ),
        Agent(
            name="data-analyzer",
            image="agents/analyzer:v1.0",
            llm=LLMConfig(provider="anthropic", model="claude-3-sonnet"),
            depends_on=["data-collector"],
        ),
    ],
)


def written(document: JsonObject) -> str:
    code = python_code(document)
    assert isinstance(code, str), code
    return code


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_python_and_back_loses_nothing(path: Path) -> None:
    document = read_yaml(path.read_text()).document
    assert document is not None
    again = read_python(written(document))
    assert again.diagnostics == ()
    assert again.document is not None
    assert is_same(document, again.document)


@pytest.mark.parametrize("path", FILES[:1], ids=lambda path: path.name)
def test_run_as_python_it_makes_the_same(path: Path) -> None:
    """What is read without being run is what Python would make of it."""
    document = read_yaml(path.read_text()).document
    assert document is not None
    names: dict[str, Any] = {}
    exec(written(document), names)
    assert is_same(document, names["agent"].to_json())


def test_the_workflow_of_the_sdk() -> None:
    document = SEED.build()
    first, second = document.spec.agents
    assert (first.image, first.llm and first.llm.model) == ("agents/collector:v1.0", "gpt-4")
    assert first.resources is not None
    assert (first.resources.memory, first.resources.cpu) == ("512Mi", "100m")
    assert second.depends_on == ("data-collector",)
    assert read_python(written(SEED.to_json())).document == SEED.to_json()


def test_an_agent_is_made_node_by_node_and_each_step_is_a_copy() -> None:
    before = Agent("greeting", labels={"team": "a"}).inputs({"type": "object"})
    after = before.node("greet", "ai.chat", {"prompt": "Greet."}, timeout="5s", after=["x"])
    assert "nodes" not in before.to_json()["spec"]  # type: ignore[operator]
    built = after.outputs({"text": "{{greet.output.text}}"}).build()
    assert (built.spec.nodes["greet"].timeout, built.spec.nodes["greet"].after) == ("5s", ("x",))


def test_mistakes_are_told_when_they_are_made() -> None:
    with pytest.raises(UsageError, match="Did you mean 'timeout'"):
        Agent("a").node("x", "ai.chat", timout="5s")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    with pytest.raises(UsageError, match="two nodes called 'x'"):
        Agent("a").node("x", "ai.chat").node("x", "ai.chat")
    with pytest.raises(UsageError, match="has no image"):
        Workflow("w", [Agent("a")])
    with pytest.raises(UsageError, match="by its image"):
        Agent("a", image="agents/a").build()
    with pytest.raises(DocumentError, match="AF119"):
        Agent("a").node("x", "ai.chat", timeout="5 s").build()


def test_the_settings_of_nodes_are_those_of_documents() -> None:
    assert NodeSettings.__optional_keys__ == documents.Node.model_fields.keys() - {"kind", "with_"}


def test_names_may_stand_for_values() -> None:
    text = '''"""An agent."""
from agentflow_dagster import Agent, Retry
slow: object = Retry(max_attempts=5)
base = Agent("a").node("x", "ai.chat", {"prompt": "hi", "n": -1}, retry=slow)
agent = base.outputs({"t": "{{x.output.text}}"})
'''
    source = read_python(text)
    assert source.diagnostics == ()
    assert source.document is not None
    assert source.document["spec"]["nodes"]["x"]["retry"] == {"maxAttempts": 5}  # type: ignore[index,call-overload]
    assert source.positions["/spec/nodes/x"].line == 4


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("import os\n", "Import is not read", 1),
        ("from os import system\n", "ImportFrom is not read", 1),
        ("x = __import__('os')\n", "'__import__' is not known here", 1),
        ("\nx = open('/etc/passwd').read()\n", "'open' is not known here", 2),
        ("x = [i for i in range(3)]\n", "is not read: a document is not run", 1),
        ("x = f'{1}'\n", "is not read", 1),
        ("x = 'a' * 10\n", "is not read", 1),
        ("x = Agent('a').__class__('b')\n", "no method '__class__'", 1),
        ("x = Agent('a').build()\n", "no method 'build'", 1),
        ("x = Agent('a', **y)\n", "`**` is not read", 1),
        ("x = Retry(max_attempts=99)\n", "less than or equal to 20", 1),
        ("x = Agent('a').node('x')\n", "missing 1 required positional argument", 1),
        ("x = Agent('a').node('x', 'ai.chat', timout='5s')\n", "no field 'timout'", 1),
        ("x = 1\n", "makes 0 documents", 1),
        ("x = Agent('a')\ny = Agent('b')\n", "makes 2 documents", 1),
        ("x = (\n", "Not Python", 1),
        ("x = " + "[" * 300 + "]" * 300, "Not Python", 1),
        ("x = b'x'\n", "is not read", 1),
    ],
)
def test_what_is_not_the_builder_is_not_read(text: str, said: str, line: int) -> None:
    source = read_python(text)
    (found,) = source.diagnostics
    assert source.document is None
    assert (found.code, found.line) == ("AF808", line)
    assert said in found.message


def test_a_name_of_ours_may_not_be_given_to_something_else() -> None:
    source = read_python("Agent = 1\nx = Agent('a')\n")
    assert [d.code for d in source.diagnostics] == ["AF808"]


def test_the_hash_does_not_tell_the_form() -> None:
    again = read_python(written(sample())).document
    assert again is not None
    assert content_hash(agent(again)) == content_hash(agent(sample()))


def test_importing_the_package_brings_no_model_of_documents() -> None:
    code = "import sys, agentflow_dagster; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
