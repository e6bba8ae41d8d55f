"""Where nodes are drawn."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agentflow_dagster.graph.layering import draw_layers

if TYPE_CHECKING:
    from agentflow_dagster.graph.layering import Drawn, Size

SIZE = (200.0, 70.0)
NAMES = [f"n{i}" for i in range(12)]


def overlaps(drawn: Drawn, sizes: dict[str, Size]) -> list[tuple[str, str]]:
    def apart(a: str, b: str) -> bool:
        (ax, ay), (bx, by) = drawn.places[a], drawn.places[b]
        (aw, ah), (bw, bh) = sizes[a], sizes[b]
        return ax + aw <= bx or bx + bw <= ax or ay + ah <= by or by + bh <= ay

    return [pair for pair in combinations(drawn.places, 2) if not apart(*pair)]


def test_what_comes_after_stands_to_the_right() -> None:
    edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d")]
    drawn = draw_layers(dict.fromkeys("abcd", SIZE), edges)
    for source, target in edges:
        assert drawn.places[source][0] + SIZE[0] < drawn.places[target][0]
    assert drawn.places["b"][0] == drawn.places["c"][0]


def test_an_edge_that_skips_layers_passes_between_nodes() -> None:
    drawn = draw_layers(dict.fromkeys("abc", SIZE), [("a", "b"), ("b", "c"), ("a", "c")])
    (x, y), (_, same) = drawn.ways["a", "c"]
    assert y == same
    assert x == drawn.places["b"][0]
    assert not drawn.places["b"][1] <= y <= drawn.places["b"][1] + SIZE[1]


def test_a_row_of_steps_stands_on_one_level() -> None:
    drawn = draw_layers(dict.fromkeys("abcde", SIZE), [*zip("abcd", "bcde", strict=True)])
    assert {y for _, y in drawn.places.values()} == {0.0}
    assert drawn.size[1] == SIZE[1]


def test_nodes_without_edges_stand_below_in_rows() -> None:
    drawn = draw_layers(dict.fromkeys("abcdefg", SIZE), [("a", "b")])
    below = [drawn.places[name] for name in "cdefg"]
    assert all(y >= SIZE[1] for _, y in below)
    assert len({y for _, y in below}) == 2


def test_nothing_and_one() -> None:
    assert draw_layers({}, []).size == (0.0, 0.0)
    assert draw_layers({"a": SIZE}, []).size == SIZE


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=25),
    st.lists(st.sampled_from([70.0, 120.0, 300.0]), min_size=12, max_size=12),
)
def test_nothing_overlaps_and_all_is_inside(
    edges: list[tuple[str, str]], heights: list[float]
) -> None:
    sizes = {name: (200.0, height) for name, height in zip(NAMES, heights, strict=True)}
    drawn = draw_layers(sizes, edges)
    assert drawn.places.keys() == sizes.keys()
    assert overlaps(drawn, sizes) == []
    for name, (x, y) in drawn.places.items():
        assert -1e-6 <= x <= drawn.size[0] - sizes[name][0] + 1e-6
        assert -1e-6 <= y <= drawn.size[1] - sizes[name][1] + 1e-6
    assert draw_layers(sizes, edges) == drawn
