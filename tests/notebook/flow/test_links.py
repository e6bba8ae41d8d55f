"""What cells take from each other, whatever their order."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentflow_dagster.notebook.flow.links import follow
from benchmarks.dataflow.pairs import pairs_of
from tests.notebook.flow.conftest import Case, read_cases

CASES = read_cases()
CELLS = sorted({cell for case in CASES for cell in case.cells})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cells[-1].splitlines()[-1][:40])
def test_names_by_which_a_cell_depends_on_another(case: Case) -> None:
    for cell in case.cells:
        compile(cell, "<case>", "exec")
    links = follow(case.cells)
    last = len(case.cells) - 1
    assert links.taken(last - 1, last).keys() == case.reads


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cells[-1].splitlines()[-1][:40])
def test_the_order_of_cells_plays_no_part(case: Case) -> None:
    links = follow(tuple(reversed(case.cells)))
    assert links.taken(1, 0).keys() == case.reads


@pytest.mark.parametrize("pair", [p for p in pairs_of("tuning") if not p.undecidable])
def test_the_labelled_pairs(pair: object) -> None:
    from benchmarks.dataflow.pairs import Pair

    assert isinstance(pair, Pair)
    links = follow((pair.before, pair.first, pair.second))
    assert links.taken(1, 2).keys() == set(pair.reads), pair.why


@given(st.lists(st.sampled_from(CELLS), min_size=2, max_size=8), st.randoms())
@settings(max_examples=80, deadline=None)
def test_any_cells_in_any_order(cells: list[str], random: object) -> None:
    import random as generator

    assert isinstance(random, generator.Random)
    order = list(range(len(cells)))
    random.shuffle(order)
    links, shuffled = follow(tuple(cells)), follow(tuple(cells[i] for i in order))
    for a, first in enumerate(order):
        assert shuffled.looked_up(a).keys() == links.looked_up(first).keys()
        for b, second in enumerate(order):
            if a != b:
                assert shuffled.taken(a, b) == links.taken(first, second)


def test_any_python_is_followed_without_an_error() -> None:
    """Modules of the standard library, every seventh."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[::7]
    assert len(files) > 20
    for file in files:
        links = follow((file.read_text(encoding="utf-8"), "import os\nx = os"))
        links.taken(0, 1)


@pytest.mark.parametrize(
    "cell", ["x = (", "", "\n\n", "# x", "x = 1\x00", "(" * 300, "-" * 5000 + "1"]
)
def test_what_is_no_python_takes_nothing(cell: str) -> None:
    links = follow(("x = 1", cell))
    assert links.taken(0, 1) == {}
    assert not links.blind(1)


def test_a_cell_that_is_too_long_to_follow_is_told() -> None:
    calls = "\n".join(f"f{n + 1} = lambda x: f{n}(x) + f{n}(x)" for n in range(60))
    links = follow((f"f0 = len\n{calls}\nf60([])" + "\nx = [1, 2, 3]" * 5_000,))
    assert [one.what for one in links.blind(0)] == ["a text that is too long to follow"]


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("exec(text)", "exec"),
        ("eval(text)", "eval"),
        ("globals()[name] = 1", "globals"),
        ("print(globals())", "globals"),
        ("from a_module_that_is_nowhere import *", "from a_module_that_is_nowhere import *"),
    ],
)
def test_where_the_text_does_not_say_what_is_meant(cell: str, what: str) -> None:
    assert [one.what for one in follow((cell,)).blind(0)] == [what]


def test_an_attribute_whose_name_is_made_may_be_any() -> None:
    cells = (
        "class A: pass\na = A()",
        "setattr(a, input(), 1)",
        "print(a.x)",
        "getattr(a, input())",
    )
    links = follow(cells)
    assert links.taken(1, 2) == links.taken(1, 3) == {"a": "changed"}


@pytest.mark.parametrize("cell", ["exec('y = x')", "y = globals()['x']", "y = eval('x + 1')"])
def test_names_that_are_written_out_are_known(cell: str) -> None:
    links = follow(("x = 1", cell))
    assert links.taken(0, 1) == {"x": "made"}
    assert links.blind(1) == []


class TestChanged:
    def test_by_a_function_of_another_cell(self) -> None:
        links = follow(("def f(r):\n    r['x'] = 1", "row = {}", "n = 1\nf(row)"))
        assert {n: p.line for n, p in links.changed(2).items()} == {"row": 2}

    def test_what_a_cell_made_itself_is_not_told(self) -> None:
        assert follow(("x = []\nx.append(1)",)).changed(0) == {}

    def test_a_guess_is_not_told(self) -> None:
        links = follow(("import lib\nmodel = lib.Model()", "model.fit([1])", "print(model)"))
        assert links.changed(1) == {}
        assert links.taken(1, 2) == {"model": "changed"}
