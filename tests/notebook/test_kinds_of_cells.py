"""Cells that hold prompts and YAML, and what is said of the agent as a whole."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, cast

import pytest

from agentflow_dagster.spec.diagnostics import Position

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject
    from tests.notebook.conftest import Read, Reading

TRIAGE = """\
---parameters
body: str
---
%%node clean
text = body.strip()
---
%%node classify --kind ai.classify
~~~
labels: {bug: broken, howto: how to use it}
~~~
{{text}}
---
%%node route --kind logic.switch
cases: {bug: "{{classify.label == 'bug'}}"}
default: other
---
%%node draft --kind ai.chat --after route.other --when "{{size(text) > 3}}"
Reply to {{text}}, labelled {{classify.output.label}}.
---
%%node report
lines = [draft["text"], classify["label"]]
"""


def _nodes(reading: Reading) -> dict[str, JsonObject]:
    assert reading.document is not None, [str(d) for d in reading.diagnostics]
    spec = cast("JsonObject", reading.document["spec"])
    return cast("dict[str, JsonObject]", spec["nodes"])


def test_each_kind_has_its_form_and_names_become_references(read: Read) -> None:
    nodes = _nodes(read(TRIAGE))
    assert nodes["classify"] == {
        "kind": "ai.classify",
        "with": {
            "labels": {"bug": "broken", "howto": "how to use it"},
            "text": "{{clean.output.text}}",
        },
    }
    assert nodes["route"]["with"] == {
        "cases": {"bug": "{{classify.output.label == 'bug'}}"},
        "default": "other",
    }
    assert nodes["draft"] == {
        "kind": "ai.chat",
        "with": {"prompt": "Reply to {{clean.output.text}}, labelled {{classify.output.label}}."},
        "after": ["route.other"],
        "when": "{{size(clean.output.text) > 3}}",
    }
    assert nodes["report"]["with"] == {
        "code": 'lines = [draft["text"], classify["label"]]\n',
        "inputs": {"draft": "{{draft.output}}", "classify": "{{classify.output}}"},
        "outputs": ["lines"],
    }


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("{{body}}", "{{input.body}}"),
        ("{{input.body}}", "{{input.body}}"),
        ("{{total}}", "{{total.output.total}}"),  # the node's variable of the same name
        ("{{total.output.total}}", "{{total.output.total}}"),
        ("{{has(note.x) ? note.x : 1}}", "{{has(total.output.note.x) ? total.output.note.x : 1}}"),
        ("{{[1].all(body, body > total)}}", "{{[1].all(body, body > total.output.total)}}"),
        ("{{'body' + body}} body", "{{'body' + input.body}} body"),
    ],
)  # fmt: skip
def test_names_in_expressions(read: Read, prompt: str, meant: str) -> None:
    cells = "---parameters\nbody = ''\n---node:total\ntotal = 1\nnote = {}"
    text = f"{cells}\n---\n%%node a --kind ai.chat\n{prompt}"
    assert _nodes(read(text))["a"]["with"] == {"prompt": meant}


def test_a_body_knows_its_own_names(read: Read) -> None:
    text = """\
---node:first
draft = 1
rows = [1]
---
%%node each --kind logic.loop
over: "{{rows}}"
as: row
body:
  nodes:
    draft: {kind: ai.chat, with: {prompt: "{{row}} {{draft}}"}}
  outputs: {text: "{{draft.output.text}}"}
"""
    assert _nodes(read(text))["each"]["with"] == {
        "over": "{{first.output.rows}}",
        "as": "row",
        "body": {
            "nodes": {"draft": {"kind": "ai.chat", "with": {"prompt": "{{row}} {{draft}}"}}},
            "outputs": {"text": "{{draft.output.text}}"},
        },
    }


def test_a_name_that_no_cell_makes_is_told_in_the_prompt(read: Read) -> None:
    found = read("---parameters\nbody = ''\n---\n%%node a --kind ai.chat\nHi {{boddy}}").only(
        "AF612"
    )
    assert (found.cell, found.line) == (1, 2)
    assert found.hint == "Did you mean 'body'?"


def test_code_is_given_what_its_line_says(read: Read) -> None:
    nodes = _nodes(
        read(
            "---parameters\nbody = ''\n---node:b\ny = 2\n---\n"
            "%%node a --in x={{body}} --in z={{b.output.y}} --out w --memory 2Gi\nw = x + z"
        )
    )
    assert nodes["a"]["with"] == {
        "code": "w = x + z",
        "inputs": {"x": "{{input.body}}", "z": "{{b.output.y}}"},
        "outputs": ["w"],
        "memory": "2Gi",
    }
    assert nodes["b"]["with"] == {"code": "y = 2", "outputs": ["y"]}


def test_what_only_an_expression_takes_is_an_output(read: Read) -> None:
    read_ = read("---node:b\ny, z = 2, 3\n---\n%%node a --kind ai.chat\n{{b.output.y}}")
    assert _nodes(read_)["b"]["with"] == {"code": "y, z = 2, 3", "outputs": ["y"]}
    whole = read("---node:b\ny, z = 2, 3\n---\n%%node a --kind ai.chat\n{{string(b.output)}}")
    assert cast("JsonObject", _nodes(whole)["b"]["with"])["outputs"] == ["y", "z"]


def test_the_agent_as_a_whole(read: Read) -> None:
    text = """\
---
%%agentflow agent
name: triage
tag: v1
labels: {team: support}
outputs: {answer: "{{a.output.x}}"}
triggers: {t: {webhook: {path: /t}}}
layout: {a: [1, 2]}
---node:a
x, y = 1, 2
"""
    found = read(text)
    document = found.document
    assert document is not None
    assert document["metadata"] == {"name": "triage", "tag": "v1", "labels": {"team": "support"}}
    assert document["layout"] == {"a": [1, 2]}
    spec = cast("JsonObject", document["spec"])
    assert spec["outputs"] == {"answer": "{{a.output.x}}"}
    assert spec["triggers"] == {"t": {"webhook": {"path": "/t"}}}
    assert cast("JsonObject", _nodes(found)["a"]["with"])["outputs"] == ["x"]
    assert found.positions["/spec/triggers/t"] == Position(6, 12, 0)
    assert found.positions["/metadata/name"] == Position(2, 1, 0)


@pytest.mark.parametrize(
    ("cell", "code", "place"),
    [
        ("nam: x", "AF625", (0, 2, 1)),
        ("name: [", "AF102", (0, 3, 1)),
        ("- name", "AF101", (0, 2, 1)),
    ],
)
def test_a_cell_of_the_agent_that_cannot_be_used(
    read: Read, cell: str, code: str, place: tuple[int, int, int]
) -> None:
    found = read(f"---\n%%agentflow agent\n{cell}\n---node:a\nx = 1").only(code)
    assert (found.cell, found.line, found.column) == place


def test_what_is_said_twice(read: Read) -> None:
    text = "---\n%%agentflow agent\nname: x\n---\n%%agentflow agent\nicon: y\n---node:a\nx = 1"
    found = read(text, settings={"name": "y"})
    assert found.codes == ["AF625", "AF625"]


def test_a_prompt_may_begin_as_a_config_does(read: Read) -> None:
    found = _nodes(read("---\n%%node a --kind ai.chat\n~~~\n~~~\n~~~\nHi"))
    assert found["a"]["with"] == {"prompt": "---\nHi"}


def test_the_prompt_stands_in_one_place(read: Read) -> None:
    found = read("---\n%%node a --kind ai.chat\n~~~\nprompt: x\n~~~\ny").only("AF627")
    assert (found.cell, found.line) == (0, 3)


def test_what_one_reading_gives_is_not_the_next_ones(read: Read) -> None:
    """Texts are read once; who changes a document changes that one alone."""
    text = (
        f"{TRIAGE}---\n%%agentflow agent\nlabels: {{team: support}}\n"
        "---\n%%node a --kind ai.chat --set limits.calls=3\nHi"
    )
    first = read(text).document
    assert first is not None
    as_it_was = deepcopy(first)

    def spoil(value: object) -> None:
        for inner in list(cast("JsonObject", value).values()) if isinstance(value, dict) else ():
            spoil(inner)
        if isinstance(value, dict):
            cast("JsonObject", value)["spoiled"] = True

    spoil(first)
    assert read(text).document == as_it_was
