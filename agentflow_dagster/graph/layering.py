"""Where the nodes of a graph are drawn: in layers, what comes after stands to the right.

Layers and the order in them come from fast-sugiyama, which takes all nodes to be of one size; here
they are given their real sizes.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

COLUMN_GAP = 84.0
ROW_GAP = 28.0
_ROW = 72.0
"""The height that the library's distances are meant for: an ordinary node's."""
_LANE = 12.0
"""The height that is kept free for an edge that passes a layer."""
_ALONE_IN_A_ROW = 4

Point = tuple[float, float]
Size = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Where everything is, in pixels from the upper left corner.

    Args:
        places: The upper left corner of each node.
        ways: Points that an edge passes on its way, where it skips layers.
        size: Width and height of the whole.
    """

    places: Mapping[str, Point]
    ways: Mapping[tuple[str, str], tuple[Point, ...]]
    size: Size


@dataclass(slots=True)
class _Piece:
    """One connected part; a number stands for a place where an edge passes a layer."""

    layers: dict[int, list[tuple[float, int]]] = field(
        default_factory=lambda: defaultdict[int, list[tuple[float, int]]](list)
    )
    links: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


def draw_layers(sizes: Mapping[str, Size], edges: Iterable[tuple[str, str]]) -> Drawn:
    """Lays a graph out from left to right; the same graph always in the same way.

    Args:
        sizes: Width and height of each node, in pixels.
        edges: Source and target; cycles are allowed.
    """
    drawn = dict.fromkeys((a, b) for a, b in edges if a != b)
    linked = {name for edge in drawn for name in edge}
    # The library numbers what it adds itself from the last node on.
    names = [name for name in sizes if name in linked]
    numbers = {name: number for number, name in enumerate(names)}
    wanted = [(numbers[a], numbers[b]) for a, b in drawn]
    places: dict[str, Point] = {}
    ways: dict[tuple[str, str], tuple[Point, ...]] = {}
    width = bottom = 0.0
    for piece in _pieces(wanted, len(names)):
        centres, lanes, (wide, high) = _placed(piece, names, sizes)
        top = bottom + (ROW_GAP if bottom else 0)
        for number, (x, y) in centres.items():
            name = names[number]
            places[name] = (x, y + top - sizes[name][1] / 2)
        for (source, target), points in lanes.items():
            moved = tuple((x, y + top) for x, y in points)
            ways[names[source], names[target]] = moved
        width, bottom = max(width, wide), top + high
    alone = [name for name in sizes if name not in linked]
    wide, high = _in_rows(alone, sizes, places, bottom + (ROW_GAP if bottom and alone else 0))
    return Drawn(places, ways, (max(width, wide), max(bottom, high)))


def _pieces(edges: list[tuple[int, int]], count: int) -> list[_Piece]:
    """The connected parts, in the order of their first nodes."""
    if not edges:
        return []
    from fast_sugiyama import from_edges

    pieces: list[tuple[int, _Piece]] = []
    for positions, _, _, links in from_edges(edges, vertex_spacing=1, dummy_vertices=True):
        piece = _Piece()
        deepest = max(y for _, (_, y) in positions)
        for number, (x, y) in sorted(positions):
            piece.layers[round(deepest - y)].append((x, int(number)))
        piece.links = [(int(a), int(b)) for a, b in links or ()]
        first = min(int(number) for number, _ in positions if int(number) < count)
        pieces.append((first, piece))
    return [piece for _, piece in sorted(pieces, key=lambda one: one[0])]


def _placed(
    piece: _Piece, names: Sequence[str], sizes: Mapping[str, Size]
) -> tuple[dict[int, Point], dict[tuple[int, int], tuple[Point, ...]], Size]:
    """Left edge and vertical centre of each node, the points that edges pass, and the size."""
    left = 0.0
    centres: dict[int, Point] = {}
    passed: dict[int, tuple[Point, Point]] = {}
    extent = [0.0, 0.0]
    rows: dict[int, tuple[float, float]] = {}
    for layer in sorted(piece.layers):
        members = sorted(piece.layers[layer])
        real = [number for _, number in members if number < len(names)]
        width = max((sizes[names[number]][0] for number in real), default=0.0)
        heights = [sizes[names[n]][1] if n < len(names) else _LANE for _, n in members]
        middles = _apart([x * (_ROW + ROW_GAP) for x, _ in members], heights)
        for (_, number), middle, height in zip(members, middles, heights, strict=True):
            extent = [min(extent[0], middle - height / 2), max(extent[1], middle + height / 2)]
            rows[number] = (left, middle)
            if number >= len(names):
                passed[number] = ((left, middle), (left + width, middle))
        left += width + COLUMN_GAP
    top = min(middle - _half(n, names, sizes) for n, (_, middle) in rows.items())
    bottom = max(middle + _half(n, names, sizes) for n, (_, middle) in rows.items())
    for number, (x, middle) in rows.items():
        if number < len(names):
            centres[number] = (x, middle - top)
    lanes = {
        ends: tuple((x, y - top) for number in between for x, y in passed[number])
        for ends, between in _chains(piece.links, len(names))
    }
    return centres, lanes, (left - COLUMN_GAP, bottom - top)


def _half(number: int, names: Sequence[str], sizes: Mapping[str, Size]) -> float:
    return (sizes[names[number]][1] if number < len(names) else _LANE) / 2


def _chains(
    links: list[tuple[int, int]], count: int
) -> Iterable[tuple[tuple[int, int], list[int]]]:
    """The edges that skip layers: their ends, and what they pass."""
    onward = {a: b for a, b in links if a >= count}
    for source, target in links:
        if source < count <= target:
            between = [target]
            while onward[between[-1]] >= count:
                between.append(onward[between[-1]])
            yield (source, onward[between[-1]]), between


def _apart(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Centres as near as can be to those wanted, in their order, without overlap.

    Least squares by the pool-adjacent-violators algorithm.
    """
    offsets = [0.0]
    for above, below in pairwise(heights):
        offsets.append(offsets[-1] + (above + below) / 2 + ROW_GAP)
    pools: list[tuple[float, int]] = []
    for place, offset in zip(wanted, offsets, strict=True):
        mean, count = place - offset, 1
        while pools and pools[-1][0] > mean:
            other, more = pools.pop()
            mean = (mean * count + other * more) / (count + more)
            count += more
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _in_rows(
    alone: Sequence[str], sizes: Mapping[str, Size], places: dict[str, Point], top: float
) -> Size:
    """Puts nodes without edges into rows; how far these reach."""
    width, bottom = 0.0, top
    for start in range(0, len(alone), _ALONE_IN_A_ROW):
        row = alone[start : start + _ALONE_IN_A_ROW]
        y = bottom + (ROW_GAP if start else 0)
        x = 0.0
        for name in row:
            places[name] = (x, y)
            x += sizes[name][0] + COLUMN_GAP
        width = max(width, x - COLUMN_GAP)
        bottom = y + max(sizes[name][1] for name in row)
    return width, bottom if alone else 0.0
