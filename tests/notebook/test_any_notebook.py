"""Whatever a file holds, reading it ends in a document or in diagnostics."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import nbformat
from hypothesis import given
from hypothesis import strategies as st

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.notebook import read_agent
from agentflow_dagster.notebook.json_places import cell_places
from agentflow_dagster.notebook.writing import NewCell, notebook_text
from agentflow_dagster.spec.diagnostics import has_errors
from tests.support.properties import TEXTS, VALUES, patiently

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = builtin_kinds()
WHOLE = json.loads(
    notebook_text(
        [
            NewCell("t", "# Title", prose=True),
            NewCell("agent", "%%agentflow agent\nname: a\nlabels: {b: c}"),
            NewCell("p", "n: int = 1  # how many", ("parameters",)),
            NewCell("s", "import math", ("setup",)),
            NewCell("a", "%%node a --retry 2\nx = n"),
            NewCell(
                "b", "%%node b --kind ai.chat\n---\nsystem: Be brief.\n---\n{{x}}", order=("x",)
            ),
            NewCell("c", "%%node c --kind logic.switch\ncases: {a: '{{x > 1}}'}\ndefault: b"),
        ],
        {"agentflow": {"icon": "x"}},
    )
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*path, index))


PLACES = list(_places(WHOLE))[1:]


def _read(text: str) -> None:
    document, _, found = read_agent(text, file="a.ipynb", kinds=KINDS)
    assert (document is None) == has_errors(found)


@patiently(400)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
def test_a_notebook_with_anything_anywhere(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    whole = deepcopy(WHOLE)
    for path, value in changes:
        parent = whole
        for step in path[:-1]:
            try:
                parent = parent[step]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(parent, dict | list):
                try:
                    parent[path[-1]] = value
                except (IndexError, TypeError):
                    continue
    _read(json.dumps(whole))


@patiently(400)
@given(st.integers(0, len(WHOLE["cells"]) - 1), TEXTS | st.text("%-{}\n #:[]'\"ab=", max_size=60))
def test_any_text_in_a_cell(index: int, text: str) -> None:
    whole = deepcopy(WHOLE)
    head = "".join(whole["cells"][index]["source"]).partition("\n")[0]
    for source in (text, f"{head}\n{text}", f"{head} {text}\nx"):
        whole["cells"][index]["source"] = source
        _read(json.dumps(whole))


@patiently(200)
@given(st.text(max_size=200) | VALUES.map(json.dumps))
def test_any_text_as_a_file(text: str) -> None:
    _read(text)


@patiently(100)
@given(st.lists(st.builds(NewCell, st.just("x"), TEXTS, st.just(()), st.booleans()), max_size=5),
       st.sampled_from([None, 1, 3, "\t"]))  # fmt: skip
def test_cells_are_found_in_every_layout(cells: list[NewCell], indent: Any) -> None:
    whole = json.loads(notebook_text(cells))
    text = json.dumps(whole, indent=indent, ensure_ascii=bool(indent))
    places = cell_places(text)
    assert [json.loads(text[p.whole.start : p.whole.end]) for p in places] == whole["cells"]
    for place, cell in zip(places, whole["cells"], strict=True):
        assert place.source is not None
        assert json.loads(text[place.source.start : place.source.end]) == cell["source"]


def test_older_formats_are_told() -> None:
    for version in (3, 2):
        old: Any = nbformat.v3.new_notebook()
        old["nbformat"] = version
        found = read_agent(json.dumps(old), file="a.ipynb", kinds=KINDS)[2]
        assert [one.code for one in found] == ["AF601"]
        assert "nbconvert" in found[0].hint
