"""The line that a diagnostic is about."""

from __future__ import annotations

import json

from agentflow_dagster.operations.excerpts import excerpt
from agentflow_dagster.spec.diagnostics import Position, error

FOUND = error("AF110", "Unknown.")


def test_the_line_and_the_word() -> None:
    line = excerpt("a: 1\n  nam: x\n", FOUND.at("a.yaml", Position(2, 3)))
    assert line is not None
    assert (line.number, line.text, line.start, line.length) == (2, "  nam: x", 2, 3)


def test_a_cell_of_a_notebook() -> None:
    notebook = json.dumps({"cells": [{"source": ["x = 1\n", "y = z"]}]})
    line = excerpt(notebook, FOUND.at("a.ipynb", Position(2, 5, cell=0)))
    assert line is not None
    assert (line.text, line.start, line.length) == ("y = z", 4, 1)


def test_a_long_line_is_cut_around_the_place() -> None:
    line = excerpt("x" * 500 + " here " + "x" * 500, FOUND.at("a.yaml", Position(1, 502)))
    assert line is not None
    assert len(line.text) == 100
    assert line.text[line.start : line.start + line.length] == "here"


def test_no_line_shows_a_secret() -> None:
    assert excerpt("key: x", error("AF503", "A key.").at("a.yaml", Position(1, 1))) is None


def test_no_place_no_line() -> None:
    assert excerpt("a", FOUND) is None
    assert excerpt("a", FOUND.at("a.yaml", Position(9, 1))) is None
    assert excerpt("no notebook", FOUND.at("a.ipynb", Position(2, 1, cell=4))) is None
