"""Diagnostics: how they read, and how they find their place."""

from __future__ import annotations

import pytest

from agentflow_dagster.spec.diagnostics import (
    Position,
    error,
    has_errors,
    locate,
    nearest,
    pointer,
    warning,
)

FOUND = error("AF101", "It is wrong.", pointer="/a", hint="Mend it.")


@pytest.mark.parametrize(
    ("position", "text"),
    [
        (None, "a.yaml: error AF101: It is wrong. Mend it."),
        (Position(3), "a.yaml:3:1: error AF101: It is wrong. Mend it."),
        (Position(3, 7), "a.yaml:3:7: error AF101: It is wrong. Mend it."),
        (Position(3, 7, cell=1), "a.yaml:cell 2:3:7: error AF101: It is wrong. Mend it."),
    ],
)
def test_as_text(position: Position | None, text: str) -> None:
    assert str(FOUND.at("a.yaml", position)) == text


def test_as_json() -> None:
    assert FOUND.at("a.yaml", Position(3, 7)).to_json() == {
        "code": "AF101",
        "severity": "error",
        "file": "a.yaml",
        "cell": None,
        "line": 3,
        "column": 7,
        "pointer": "/a",
        "message": "It is wrong.",
        "hint": "Mend it.",
        "fix": None,
    }


def test_a_warning_stops_nothing() -> None:
    assert not has_errors([warning("AF904", "Not in force.")])
    assert has_errors([warning("AF904", "Not in force."), FOUND])


def test_a_pointer_escapes() -> None:
    assert pointer("a/b", 0, "c~d") == "/a~1b/0/c~0d"
    assert pointer() == ""


def test_a_place_is_the_nearest_that_is_known() -> None:
    known = {"": Position(1), "/a": Position(2)}
    assert locate(known, "/a/b/c") == Position(2)
    assert locate(known, "/b") == Position(1)
    assert locate({}, "/b") is None


def test_hints_name_what_is_near_or_what_there_is() -> None:
    assert nearest("clasify", ["route", "classify"]) == "Did you mean 'classify'?"
    assert nearest("zzz", ["b", "a"]) == "Known here: a, b."
    assert nearest("zzz", []) == ""
