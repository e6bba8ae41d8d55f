"""Notebook files and the roles of their cells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.notebook import NodeLine, read_notebook
from agentflow_dagster.notebook.cells import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_roles(to_ipynb: Callable[[str], str]) -> None:
    found = read_notebook(
        to_ipynb(
            "---markdown\n# A\n---parameters x\na = 1\n---injected-parameters\na = 2\n"
            "---setup\nimport b\n---node:c\nd = 1\n---\n%%node e --retry 2\nf = 1\n---test\n"
            "g\n---\nh"
        )
    )
    assert found.diagnostics == ()
    assert [(c.index, c.id, c.role, c.source, c.first_line, c.name) for c in found.cells] == [
        (1, "c1", "parameters", "a = 1", 1, ""),
        (3, "c3", "setup", "import b", 1, ""),
        (4, "c4", "node", "d = 1", 1, "c"),
        (5, "c5", "node", "f = 1", 2, "e"),
        (6, "c6", "test", "g", 1, ""),
        (7, "c7", "exploration", "h", 1, ""),
    ]
    assert found.cells[3].node == NodeLine("e", attempts=2)


def test_blank_lines_before_the_node_line(to_ipynb: Callable[[str], str]) -> None:
    cell = read_notebook(to_ipynb("---\n\n\n%%node a\n\nx = 1")).cells[0]
    assert (cell.name, cell.source, cell.first_line) == ("a", "\nx = 1", 4)


def test_other_magics_are_exploration(to_ipynb: Callable[[str], str]) -> None:
    cells = read_notebook(to_ipynb("---\n%%nodes a\nx\n---\n%%time\ny")).cells
    assert [c.role for c in cells] == ["exploration", "exploration"]


def test_a_file_and_its_text_are_read_alike(to_ipynb: Callable[[str], str], tmp_path: Path) -> None:
    text = to_ipynb("---node:größe\nx = 'é'\n---node:a\nx = 'é'")
    path = tmp_path / "a.ipynb"
    path.write_text(text, encoding="utf-8")
    assert read_notebook(path) == read_notebook(text)


def test_older_minor_versions_and_joined_sources() -> None:
    cell = {"cell_type": "code", "source": "%%node a\nx = 1"}
    found = read_notebook(json.dumps({"nbformat": 4, "nbformat_minor": 0, "cells": [cell]}))
    assert [(c.name, c.id) for c in found.cells] == [("a", "")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it holds no object"),
        ('{"nbformat": 3, "worksheets": []}', "its `nbformat` is 3"),
        ("{}", "its `nbformat` is None"),
        ('{"nbformat": 4}', "it has no list of `cells`"),
        ('{"nbformat": 4, "cells": [1]}', "cell 1 is no object"),
        ('{"nbformat": 4, "cells": [{"source": 1}]}', "cell 1 has no text"),
    ],
)
def test_what_is_no_notebook(text: str, said: str) -> None:
    found = read_notebook(text)
    assert [d.code for d in found.diagnostics] == ["AF601"]
    assert said in found.diagnostics[0].message
    assert found.cells == ()


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"\xff\xfe")
    assert [d.code for d in read_notebook(path).diagnostics] == ["AF601"]


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(b" " * (MAX_BYTES + 1))
    for source in (path, path.read_text()):
        diagnostic = read_notebook(source).diagnostics[0]
        assert diagnostic.code == "AF602"
        assert "5,000,001 bytes; the limit is 5,000,000" in diagnostic.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---setup parameters\nx = 1", "marked as setup and as parameters"),
        ("---setup\n%%node a\nx = 1", "marked as setup and as node"),
        ("---node:b\n%%node a\nx = 1", "marked as node and as node"),
    ],
)
def test_more_than_one_role(to_ipynb: Callable[[str], str], text: str, said: str) -> None:
    found = read_notebook(to_ipynb(text)).diagnostics
    assert [d.code for d in found] == ["AF626"]
    assert said in found[0].message
    assert (found[0].cell, found[0].line) == (0, 1)


@pytest.mark.parametrize("text", ["---\n\n%%node 1a\nx = 1", "---\n\n%%node\nx = 1"])
def test_a_node_line_that_cannot_be_understood(to_ipynb: Callable[[str], str], text: str) -> None:
    found = read_notebook(to_ipynb(text))
    assert [d.code for d in found.diagnostics] == ["AF603"]
    assert (found.diagnostics[0].cell, found.diagnostics[0].line) == (0, 2)
    assert found.cells[0].role == "node"
