"""Cells tagged `test` are tests of the agent, and mean there what they mean in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from tests.notebook.conftest import Read

AGENT = "---parameters\nn: int = 1\n---node:a\nx = {'n': n}\n---test\n"


def _tests(read: Read, cell: str) -> dict[str, Any]:
    result = read(AGENT + cell)
    assert result.codes == []
    assert result.document is not None
    return cast("Any", result.document)["spec"]["tests"]


def test_what_is_set_is_the_input_and_the_comment_the_name(read: Read) -> None:
    assert _tests(read, "# A small one!\nn = 3\nassert x['n'] == 3") == {
        "a_small_one": {
            "input": {"n": 3},
            "expect": [{"value": "a.output.x.n", "equals": 3}],
        }
    }
    assert list(_tests(read, "assert x['n'] == 1")) == ["test_1"]


@pytest.mark.parametrize(
    "assertion",
    [
        "x != 3",
        "x < 3",
        "x <= 3",
        "x > 3",
        "x >= 3",
        "x in [1, 'a', 3]",
        "x not in [1, 3]",
        "'a' in x",
        "'a' not in x",
        "3 in x",
        "len(x) == 1",
        "len(x) > 1",
        "len(x) < 2",
        "len(x) >= 1",
        "x.startswith('a.')",
        "x.endswith('b')",
        "x",
        "not x",
        "x is None",
        "x is not None",
        "x == 'b' or x == 'a'",
        "not (x == 3)",
    ],
)
def test_a_schema_holds_where_the_assertion_does(read: Read, assertion: str) -> None:
    (expected,) = _tests(read, f"assert {assertion}")["test_1"]["expect"]
    assert expected["value"] == "a.output.x"
    judge = cast("Any", Draft202012Validator(expected["schema"]))
    values = [
        None,
        True,
        0,
        2,
        3,
        4.5,
        "",
        "a",
        "a.b",
        "acb",
        "b\n",
        [],
        [3],
        ["a", 1],
        {},
        {"a": 1},
    ]
    for value in values:
        try:
            holds = bool(eval(assertion, {"x": value}))
        except (TypeError, AttributeError):
            continue  # an error in Python: nothing to be the same
        if isinstance(value, bool):
            continue  # which Python takes for a number
        assert judge.is_valid(value) == holds, (assertion, value, expected["schema"])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("assert x == max(1, 2)", "is no literal"),
        ("assert y == 1", "no node passes on 'y'"),
        ("assert x['n'] == 1 or x == 2", "several values"),
        ("print(x)", "neither sets a parameter nor asserts"),
        ("assert x == (1, 2)", "nothing that JSON can hold"),
        ("n = f()", "is no literal"),
        ("assert 1 < x < 3", "is no value"),
        ("%matplotlib", "not Python"),
    ],
)
def test_what_has_no_form_is_told(read: Read, line: str, why: str) -> None:
    found = read(AGENT + line).only("AF636")
    assert why in found.message
    assert "(cell 3), line 1" in found.message
    assert found.severity == "warning"


def test_tests_of_the_settings_count(read: Read) -> None:
    told = {"tests": {"one": {"expect": [{"value": "a.output.x", "equals": 7}]}}}
    result = read(f"{AGENT}# One\nassert x == 1", settings=told)
    assert result.only("AF637").cell == 2
    assert result.document is not None
    assert cast("Any", result.document)["spec"]["tests"] == told["tests"]
    both = read(f"{AGENT}# Two\nassert x == 1", settings=told).document
    assert set(cast("Any", both)["spec"]["tests"]) == {"one", "two"}
