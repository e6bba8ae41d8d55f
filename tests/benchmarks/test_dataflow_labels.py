from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.dataflow.check_labels import found_reads, refuted, unlike
from benchmarks.dataflow.pairs import HALVES, Half, Pair

_ALIAS = Pair(
    id="alias",
    about="alias",
    before="a = [1]\nb = a\nc = {'kept': 1}",
    first="a.append(2)\nc['set'] = 2",
    second="n = len(b)\nprint(c['kept'])",
    reads=("b",),
    why="",
)


@pytest.mark.parametrize("half", HALVES)
def test_every_label_holds_when_its_cells_run(half: Half) -> None:
    assert refuted(half) == []


def test_the_halves_are_alike() -> None:
    assert unlike() == []


def test_names_are_found_by_what_they_change() -> None:
    assert found_reads(_ALIAS) == (("b",), [])


def test_what_the_second_binds_itself_is_not_read() -> None:
    assert found_reads(replace(_ALIAS, second="b = [5]\nn = len(b)")) == ((), [])


def test_names_that_matter_only_together_are_told() -> None:
    either = replace(_ALIAS, first="x = y = 1", second="n = globals().get('x', globals().get('y'))")
    _, wrong = found_reads(either)
    assert wrong == [
        "depends on ['x', 'y'] together, though on none of them alone",
        "without the first cell it is otherwise than the names say: []",
    ]


def test_a_cell_that_fails_is_told() -> None:
    _, wrong = found_reads(replace(_ALIAS, second="print(missing)"))
    assert wrong == ["raises NameError: name 'missing' is not defined"]
