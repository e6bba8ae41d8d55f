"""A notebook edited in place: what is its own stays."""

from __future__ import annotations

import difflib
import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import nbformat
import pytest
from hypothesis import assume, given

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.notebook import read_agent
from agentflow_dagster.notebook.updating import update_notebook
from agentflow_dagster.notebook.writing import said, write_notebook
from agentflow_dagster.spec.canonical import is_same
from tests.notebook.test_writing import agents, is_sound
from tests.support.properties import patiently

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.spec.values import JsonObject

KINDS = builtin_kinds()

SORT = """\
%%node sort --kind ai.classify --model offline/extractive  # by meaning
---
# what there is
labels: {bug: broken, howto: how to}  # two
---
{{text}}"""
CELLS: list[tuple[str, dict[str, object], str]] = [
    ("markdown", {}, "# Tickets\nWhat we do with them."),
    ("code", {}, "%load_ext agentflow_dagster"),
    ("code", {"tags": ["parameters"]}, "body: str = 'Hi'  # The ticket's text"),
    ("code", {}, "%%agentflow agent\n# Who is asked\nlabels: {team: support}  # us"),
    ("code", {}, "body[:2]  # a look"),
    (
        "code",
        {"tags": ["keep"], "x": {"y": 1}},
        "%%node clean --timeout 30s  # quick\ntext = body.strip()",
    ),
    (
        "code",
        {},
        SORT,
    ),
    ("markdown", {}, "Then a reply."),
    ("code", {"tags": ["node:reply"]}, "answer = f'{sort} {text}'"),
]


@pytest.fixture
def text() -> str:
    """A notebook as JupyterLab saves it, with outputs and what AgentFlow does not know."""
    cells: list[dict[str, object]] = []
    for number, (kind, metadata, source) in enumerate(CELLS):
        cell: dict[str, object] = {"cell_type": kind, "id": f"id-{number}", "metadata": metadata}
        if kind == "code":
            out = {"name": "stdout", "output_type": "stream", "text": [f"shown {number}\n"]}
            cell |= {"execution_count": number, "outputs": [out]}
        cells.append(cell | {"source": source.splitlines(keepends=True)})
    whole = {"cells": cells, "metadata": {"other": 1}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _document(text: str) -> Any:
    document, _, found = read_agent(text, file="tickets.ipynb", kinds=KINDS)
    assert document is not None, [str(one) for one in found]
    return deepcopy(document)


def _updated(text: str, document: JsonObject) -> str:
    result = update_notebook(text, document, KINDS, file="tickets.ipynb")
    told = _document(result)
    assert is_same(said(told), said(document))
    nbformat.validate(nbformat.reads(result, as_version=4))
    return result


def _changed_lines(before: str, after: str) -> list[str]:
    diff = difflib.ndiff(before.splitlines(), after.splitlines())
    return [f"{line[0]} {line[2:].strip()}" for line in diff if line[0] in "+-"]


def test_what_is_said_already_changes_nothing(text: str) -> None:
    assert _updated(text, _document(text)) == text


def test_code_of_one_node_touches_its_lines_alone(text: str) -> None:
    document = _document(text)
    document["spec"]["nodes"]["clean"]["with"]["code"] = "text = body.strip().lower()"
    assert _changed_lines(text, _updated(text, document)) == [
        '- "text = body.strip()"',
        '+ "text = body.strip().lower()"',
    ]


def test_a_prompts_config_keeps_its_comments(text: str) -> None:
    document = _document(text)
    document["spec"]["nodes"]["sort"]["with"]["labels"]["wish"] = "a wish"
    assert _changed_lines(text, _updated(text, document)) == [
        '- "labels: {bug: broken, howto: how to}  # two\\n",',
        '+ "labels: {bug: broken, howto: how to, wish: a wish}  # two\\n",',
        '- "{{text}}"',
        '+ "{{clean.output.text}}"',
    ]


def test_an_option_changes_the_first_line(text: str) -> None:
    document = _document(text)
    document["spec"]["nodes"]["clean"]["timeout"] = "1m"
    assert _changed_lines(text, _updated(text, document)) == [
        '- "%%node clean --timeout 30s  # quick\\n",',
        '+ "%%node clean --timeout 1m\\n",',
    ]


def test_a_tag_gives_way_to_a_line(text: str) -> None:
    document = _document(text)
    document["spec"]["nodes"]["reply"]["retry"] = {"maxAttempts": 2}
    assert _changed_lines(text, _updated(text, document)) == [
        '- "tags": [',
        '+ "tags": []',
        '- "node:reply"',
        "- ]",
        '+ "%%node reply --retry 2\\n",',
    ]


def test_what_is_of_the_whole_is_edited_in_its_cell(text: str) -> None:
    document = _document(text)
    document["metadata"]["labels"]["tier"] = "gold"
    document["spec"]["budget"] = {"perRunUsd": 0.5}
    assert _changed_lines(text, _updated(text, document)) == [
        '- "labels: {team: support}  # us"',
        '+ "labels: {team: support, tier: gold}  # us\\n",',
        '+ "budget: {perRunUsd: 0.5}"',
    ]


def test_a_node_that_comes_and_one_that_goes(text: str) -> None:
    document = _document(text)
    nodes = document["spec"]["nodes"]
    nodes["short"] = {"kind": "ai.summarize", "with": {"text": "{{input.body}}"}}
    document["spec"]["outputs"]["short"] = "{{short.output}}"
    grown = _updated(text, document)
    assert _changed_lines(text, grown)[-1].startswith("+")
    assert all(line.startswith("+") for line in _changed_lines(text, grown) if "id-" in line)
    assert '"id": "short"' in grown
    assert _updated(grown, _document(text)) != grown
    del document["spec"]["nodes"]["short"]
    document["spec"]["outputs"] = {"answer": "{{reply.output.answer}}"}
    gone = _document(_updated(grown, document))
    assert list(gone["spec"]["nodes"]) == ["clean", "sort", "reply"]


@pytest.mark.parametrize(
    "lay_out",
    [
        json.dumps,
        lambda whole: json.dumps(whole, indent=4, ensure_ascii=True),
        lambda whole: json.dumps(
            {**whole, "cells": [{**c, "source": "".join(c["source"])} for c in whole["cells"]]}
        ),
    ],
    ids=["one line", "four spaces", "texts"],
)
def test_every_layout_of_a_file(text: str, lay_out: Callable[[Any], str]) -> None:
    given_ = lay_out(json.loads(text))
    document = _document(given_)
    document["spec"]["nodes"]["clean"]["with"]["code"] = "text = body + 'ü'"
    after = _updated(given_, document)
    at = next(i for i, (a, b) in enumerate(zip(given_, after, strict=False)) if a != b)
    assert given_[:at] == after[:at]
    assert given_[-400:] == after[-400:]


@patiently(120)
@given(agents(), agents())
def test_any_agent_becomes_any_other(old: JsonObject, new: JsonObject) -> None:
    assume(is_sound(old) and is_sound(new))
    whole = json.loads(write_notebook(old, KINDS))
    own = {"cell_type": "markdown", "id": "own", "metadata": {"a": 1}, "source": "Mine. é"}
    whole["cells"].insert(len(whole["cells"]) // 2, own)
    before = json.dumps(whole, ensure_ascii=False, indent=1)
    after = update_notebook(before, new, KINDS, file="a.ipynb")
    told = read_agent(after, file="a.ipynb", kinds=KINDS)[0]
    assert told is not None
    assert is_same(said(told), said(new))
    assert own in cast("list[object]", json.loads(after)["cells"])


def test_a_test_cell_stays_while_its_meaning_does(text: str) -> None:
    whole = json.loads(text)
    source = "# Short\nbody = 'Hi'\nassert answer == 'x'  # said"
    whole["cells"].append(
        {
            "cell_type": "code",
            "id": "short",
            "metadata": {"tags": ["test"]},
            "execution_count": None,
            "outputs": [],
            "source": source.splitlines(keepends=True),
        }
    )
    text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    document = _document(text)
    assert document["spec"]["tests"]["short"]["input"] == {"body": "Hi"}
    assert _updated(text, document) == text
    document["spec"]["nodes"]["clean"]["with"]["code"] = "text = body.strip().lower()"
    assert _changed_lines(text, _updated(text, document)) == [
        '- "text = body.strip()"',
        '+ "text = body.strip().lower()"',
    ]
    document["spec"]["tests"]["short"]["input"]["body"] = "Ho"
    assert json.loads(_updated(text, document))["cells"][-1] == whole["cells"][-1]
