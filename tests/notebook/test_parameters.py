"""The parameters cell as the schema of a run's input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from tests.notebook.conftest import Read


def schema(read: Read, line: str) -> dict[str, Any]:
    result = read(f"---parameters\n{line}\n---node:a\ny = x")
    assert result.diagnostics == ()
    return cast("Any", result.document)["spec"]["inputs"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x: int = 1", {"type": "integer", "default": 1}),
        ("x: float = 1", {"type": "number", "default": 1}),
        ("x: str = 'a' 'b'", {"type": "string", "default": "ab"}),
        ("x: bool = True", {"type": "boolean", "default": True}),
        ("x: list = []", {"type": "array", "default": []}),
        ("x: dict = {}", {"type": "object", "default": {}}),
        ("x: Any = None", {"default": None}),
        ("x: list[str] = ['a']", {"type": "array", "items": {"type": "string"}, "default": ["a"]}),
        (
            "x: dict[str, int] = {'a': -1}",
            {"type": "object", "additionalProperties": {"type": "integer"}, "default": {"a": -1}},
        ),
        ("x: int | None = None", {"type": ["integer", "null"], "default": None}),
        ("x: None | str = 'a'", {"type": ["string", "null"], "default": "a"}),
        ("x: Optional[int] = 3", {"type": ["integer", "null"], "default": 3}),
        ("x: 'int' = 3", {"type": "integer", "default": 3}),
        (
            "x: int | str = 3",
            {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 3},
        ),
        (
            "x: typing.Literal['a', 'b'] = 'a'",
            {"type": "string", "enum": ["a", "b"], "default": "a"},
        ),
        (
            "x: Literal['a'] | None = None",
            {"type": ["string", "null"], "enum": ["a", None], "default": None},
        ),
        ("x = 1", {"type": "integer", "default": 1}),
        ("x = 1.5", {"type": "number", "default": 1.5}),
        ("x = False", {"type": "boolean", "default": False}),
        ("x = None", {"default": None}),
        ("x = [1, 2]", {"type": "array", "items": {"type": "integer"}, "default": [1, 2]}),
        ("x = [1, 'a']", {"type": "array", "default": [1, "a"]}),
        ("x = {'a': [1]}", {"type": "object", "default": {"a": [1]}}),
        ("x = 1  # how many", {"type": "integer", "default": 1, "description": "how many"}),
        ("x = [\n    1,\n]  # how many", {"type": "array", "items": {"type": "integer"},
                                          "default": [1], "description": "how many"}),
        ("x = '#'", {"type": "string", "default": "#"}),
        ("'''About.'''\n# note\nx = 1\npass", {"type": "integer", "default": 1}),
        ("x = 1\nx = 2", {"type": "integer", "default": 2}),
    ],
)  # fmt: skip
def test_types_and_defaults(read: Read, line: str, expected: dict[str, object]) -> None:
    assert schema(read, line) == {"type": "object", "properties": {"x": expected}}


def test_a_parameter_without_default_must_be_given(read: Read) -> None:
    assert schema(read, "x: list[int]") == {
        "type": "object",
        "properties": {"x": {"type": "array", "items": {"type": "integer"}}},
        "required": ["x"],
    }


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("import json", "AF608", "`import json` is no parameter"),
        ("y = z = 1", "AF608", "is no parameter"),
        ("y, z = 1, 2", "AF608", "is no parameter"),
        ("x.y = 1", "AF608", "is no parameter"),
        ("y += 1", "AF608", "is no parameter"),
        ("print(1)", "AF608", "is no parameter"),
        ("y = f()", "AF609", "`f()`, not a literal"),
        ("y = x", "AF609", "`x`, not a literal"),
        ("y = (1, 2)", "AF609", "holds a tuple"),
        ("y = {'a': {1}}", "AF609", "holds a set"),
        ("y = [b'a']", "AF609", "holds a bytes"),
        ("y = {0: 1}", "AF609", "holds the key 0"),
        ("y = 1e999", "AF609", "holds inf"),
        ("y: Path = 'a'", "AF610", "The type `Path` of 'y'"),
        ("y: list[Path] = []", "AF610", "`list[Path]`"),
        ("y: dict[int, str] = {}", "AF610", "`dict[int, str]`"),
        ("y: int = 'a'", "AF610", "default of 'y' is \"a\", not a int"),
        ("y: int = None", "AF610", "is null, not a int"),
        ("y: list[str] = ['a', 1]", "AF610", "not a list[str]"),
        ("y: Literal['a'] = 'b'", "AF610", "not a Literal['a']"),
    ],
)
def test_what_is_no_parameter(read: Read, line: str, code: str, said: str) -> None:
    result = read(f"---parameters\n# first\nx = 1\n{line}\n---node:a\nz2 = x")
    diagnostic = result.only(code)
    assert said in diagnostic.message
    assert (diagnostic.cell, diagnostic.line) == (0, 3)
    assert diagnostic.hint


def test_a_second_parameters_cell(read: Read) -> None:
    result = read("---parameters\nx = 1\n---parameters\ny = 1\n---node:a\nz = x")
    diagnostic = result.only("AF611")
    assert diagnostic.cell == 1
    assert "Cell 1 is tagged" in diagnostic.message
