"""Cells that cannot ship as they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.notebook.conftest import Read


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\n%time y = x", 2),
        ("!ls", 1),
        ("files = !ls", 1),
        ("here = %pwd", 1),
        ("x = 1\nx?", 2),
        ("%%time\nx = 1", 1),
        ("%%bash\nls -l | wc", 1),
    ],
)
@pytest.mark.parametrize("role", ["node:a", "setup", "parameters"])
def test_magics(read: Read, role: str, source: str, line: int) -> None:
    found = [d for d in read(f"---{role}\n{source}").diagnostics if d.code != "AF624"]
    assert [d.code for d in found] == ["AF605"]
    assert (found[0].cell, found[0].line) == (0, line)


def test_lines_of_a_magic_cell_count_from_its_first(read: Read) -> None:
    diagnostic = read("---\n%%node a\nx = 1\n%time x").only("AF605")
    assert diagnostic.line == 3
    assert (
        diagnostic.message == "node 'a' (cell 1) uses a notebook magic; what ships is plain Python."
    )


@pytest.mark.parametrize(
    "source", ["await f()", "x = [await f()]", "async with f(): pass", "async for x in f(): pass"]
)
def test_await_at_the_top_level(read: Read, source: str) -> None:
    diagnostic = read(f"---node:a\nasync def f(): pass\n{source}").only("AF607")
    assert diagnostic.line == 2
    assert "asyncio.run" in diagnostic.hint


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("x = 1\ny = (", 2, "'(' was never closed"),
        ("return 1", 1, "'return' outside function"),
        ("x = 1\0", 1, "null bytes"),
        ("if x:\npass", 2, "expected an indented block"),
        ("x = " + "(" * 300 + ")" * 300, 1, "too many nested parentheses"),
    ],
)
def test_what_is_not_python(read: Read, source: str, line: int, said: str) -> None:
    diagnostic = read(f"---node:a\n{source}").only("AF606")
    assert said in diagnostic.message
    assert diagnostic.line == line


def test_an_odd_escape_is_no_fault(read: Read) -> None:
    assert read("---node:a\nx = '\\d'").diagnostics == ()
