"""An agent written as a notebook, and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import nbformat
import pytest
from hypothesis import assume, event, given, reject
from hypothesis import strategies as st

from agentflow_dagster.errors import DocumentError
from agentflow_dagster.graph.check import check_agent
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.notebook import read_agent
from agentflow_dagster.notebook.writing import notebook_cells, write_notebook
from agentflow_dagster.operations.check import read_file
from agentflow_dagster.spec.canonical import content_hash
from agentflow_dagster.spec.parse import parse_agent
from tests.support.mutations import mutated
from tests.support.properties import TEXTS, patiently

if TYPE_CHECKING:
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject

KINDS = builtin_kinds()
EXAMPLES = sorted((Path(__file__).parents[2] / "notebooks").glob("*.*"))
AGENTS = [p for p in EXAMPLES if p.suffix in {".yaml", ".ipynb"}]


def _agent(document: JsonObject | None) -> Agent:
    assert document is not None
    agent = parse_agent(document)
    assert not isinstance(agent, tuple), agent
    return agent


def _there_and_back(document: JsonObject) -> None:
    text = write_notebook(document, KINDS)
    back, _, found = read_agent(text, file="x.ipynb", kinds=KINDS)
    assert back is not None, [str(one) for one in found]
    assert _agent(back) == _agent(document)
    assert content_hash(_agent(back)) == content_hash(_agent(document))


def is_sound(document: JsonObject) -> bool:
    """Whether an agent could be deployed."""
    agent = parse_agent(document)
    return not isinstance(agent, tuple) and check_agent(agent, KINDS).plan is not None


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.name)
def test_the_examples(path: Path) -> None:
    document = read_file(path, file=path.name).document
    assert document is not None
    _there_and_back(document)
    nbformat.validate(nbformat.reads(write_notebook(document, KINDS), as_version=4))


@patiently(120)
@given(st.data())
def test_any_sound_change_of_the_sample(data: st.DataObject) -> None:
    document = mutated(data)
    sound = is_sound(document)
    event(f"sound: {sound}")
    if sound:
        _there_and_back(document)


NAMES = ["alpha", "beta", "text", "total"]
LINES = st.sampled_from(
    [
        *("text = 1", "total = [1]", "text = total", "alpha = beta", "print(text)", "x = total"),
        *("total.append(1)", "from math import *", "import os", "def f():\n    return text"),
        *("exec('x = 1')", "for text in []:\n    pass", "x = [text for text in ()]", "# note", ""),
        *("global text\ntext = 2", "text = '''\n%%node b\n---\n'''", "x = len", "import text"),
    ]
)


@st.composite
def code(draw: st.DrawFn, reference: st.SearchStrategy[str]) -> dict[str, object]:
    """The config of a node of code."""
    lines = draw(st.lists(LINES, max_size=4))
    config: dict[str, object] = {"code": "\n".join(lines)}
    try:
        compile(str(config["code"]), "<code>", "exec")
    except SyntaxError:
        reject()
    names = st.sampled_from(NAMES)
    if draw(st.booleans()):
        values = reference | TEXTS.filter(lambda t: "{{" not in t)
        config["inputs"] = draw(st.dictionaries(names, values, max_size=3))
    if draw(st.booleans()):
        config["outputs"] = draw(st.lists(names, unique=True, max_size=3))
    if draw(st.booleans()):
        config["memory"] = "2Gi"
    return config


@st.composite
def nodes(draw: st.DrawFn, earlier: list[str]) -> JsonObject:
    """A node that may read those before it."""
    refs = ["{{input.text}}", "{{size(input.text)}}", *(f"{{{{{n}.output}}}}" for n in earlier)]
    reference = st.sampled_from(refs)
    kind = draw(st.sampled_from(["code", "code", "chat", "classify", "format", "summarize"]))
    prose = draw(TEXTS.filter(lambda t: "{{" not in t)) + "." + draw(reference | st.just(""))
    config: dict[str, object]
    match kind:
        case "code":
            config = draw(code(reference))
        case "chat":
            config = {"prompt": prose}
            if draw(st.booleans()):
                config["system"] = draw(TEXTS.filter(lambda t: "{{" not in t))
        case "classify":
            config = {"labels": {"b": "x", "a": "y"}, "text": prose}
        case "format":
            config = {
                "template": "{{ x }} {% if y %}…{% endif %}",
                "values": {"x": draw(reference)},
            }
        case _:
            config = {"text": prose, "maxSentences": draw(st.integers(1, 5))}
    order = draw(st.permutations(list(config)))
    node: dict[str, object] = {
        "kind": {"code": "code.python", "format": "transform.format"}.get(kind, f"ai.{kind}"),
        "with": {name: config[name] for name in order},
    }
    extras: dict[str, object] = {
        "description": draw(TEXTS),
        "timeout": "30s",
        "retry": draw(st.sampled_from([{"maxAttempts": 2}, {"maxAttempts": 2, "delay": "2s"}])),
        "llm": {"model": draw(st.sampled_from(["m", "a b", "offline/extractive"]))},
        "resources": {"memory": "1Gi"},
        "when": "{{size(input.text) > 3 && input.text != '\"'}}",
    }
    for name in draw(st.lists(st.sampled_from(list(extras)), unique=True, max_size=3)):
        node[name] = extras[name]
    if earlier and draw(st.booleans()):
        node["after"] = [draw(st.sampled_from(earlier))]
    return cast("JsonObject", node)


@st.composite
def agents(draw: st.DrawFn) -> JsonObject:
    """An agent of a few nodes whose names are those of their variables, too."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]
    made: dict[str, JsonObject] = {}
    for name in names:
        made[name] = draw(nodes(list(made)))
    text: dict[str, object] = draw(
        st.sampled_from([{"type": "string"}, {"type": "string", "default": "x", "minLength": 1}])
    )
    if draw(st.booleans()):
        text["description"] = draw(TEXTS)
    spec: dict[str, object] = {
        "inputs": {"type": "object", "properties": {"text": text}},
        "nodes": made,
    }
    if draw(st.booleans()):
        spec["outputs"] = {"x": f"{{{{{names[0]}.output}}}}"}
    if draw(st.booleans()):
        setup = draw(
            st.sampled_from(["import os\n", "import os", "text = 1\n", "\n\n", "x = 1\n\n"])
        )
        spec["defaults"] = {"code": {"setup": setup}, "timeout": "30s"}
    return cast(
        "JsonObject",
        {
            "apiVersion": "agentflow.io/v1",
            "kind": "Agent",
            "metadata": {"name": "a-b", "description": draw(TEXTS)},
            "spec": spec,
        },
    )


@patiently(160)
@given(agents())
def test_any_agent(document: JsonObject) -> None:
    assume(is_sound(document))
    lines = [cell.source.partition("\n")[0] for cell in notebook_cells(document, KINDS)]
    event(f"with=…: {any('with=' in line for line in lines)}")
    _there_and_back(document)


def test_what_the_cells_tell_is_not_written() -> None:
    document: JsonObject = {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": "sum"},
        "spec": {
            "inputs": {"type": "object", "properties": {"n": {"type": "integer", "default": 2}}},
            "nodes": {
                "second": {
                    "kind": "code.python",
                    "with": {
                        "code": "y = x + n",
                        "inputs": {"x": "{{first.output.x}}", "n": "{{input.n}}"},
                        "outputs": ["y"],
                    },
                },
                "first": {
                    "kind": "code.python",
                    "with": {"code": "x = m", "inputs": {"m": "{{input.n}}"}, "outputs": ["x"]},
                    "onError": {"to": "second"},
                },
            },
            "outputs": {"y": "{{second.output.y}}"},
        },
    }
    sources = {cell.id: cell.source for cell in notebook_cells(document, KINDS)}
    assert sources == {
        "title": "# sum",
        "agentflow": "%load_ext agentflow_dagster",
        "agent": "%%agentflow agent\nname: sum",
        "parameters": "n: int = 2",
        "first": "%%node first --on-error second --in 'm={{input.n}}'\nx = m",
        "second": "%%node second\ny = x + n",
    }


def test_code_that_is_no_python_cannot_be_a_cell() -> None:
    document = json.loads(
        '{"apiVersion": "agentflow.io/v1", "kind": "Agent", "metadata": {"name": "a"}, '
        '"spec": {"nodes": {"a": {"kind": "code.python", "with": {"code": "x = ("}}}}}'
    )
    with pytest.raises(DocumentError) as told:
        write_notebook(document, KINDS)
    assert [one.code for one in told.value.diagnostics] == ["AF606"]
