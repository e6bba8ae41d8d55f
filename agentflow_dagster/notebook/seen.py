"""What was seen of the dataflow while cells ran, as node cells' outputs keep it.

A `%%node` cell's display carries it beside its text and HTML, so that whoever saves the notebook
saves it. It is of the texts that ran: what was seen between two cells counts only while the texts
of both are as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from agentflow_dagster.spec.values import JsonObject, JsonValue

MIME: Final = "application/vnd.agentflow.dataflow+json"
_VERSION = 1
_MOST = 500
"""So many names of one cell are kept."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one cell took from another one when it ran.

    Args:
        text: The other cell's text.
        made: Names that the other had set.
        changed: Names of what the other had changed in place.
    """

    text: str
    made: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SeenEdge:
    """The same, between cells of a file, by their places among its code cells."""

    maker: int
    reader: int
    made: frozenset[str]
    changed: frozenset[str]


Entry: TypeAlias = "tuple[str, JsonValue]"
"""A code cell's text, and its outputs."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a notebook's cells.

    Args:
        edges: What they took from each other.
        makes: The names that each had set when it ended, by its place among the code cells.
    """

    edges: tuple[SeenEdge, ...] = ()
    makes: Mapping[int, frozenset[str]] = field(default_factory=dict["int", "frozenset[str]"])


def to_bundle(text: str, takes: Collection[Taken], makes: Collection[str] = ()) -> JsonObject:
    """What a cell's output keeps.

    Args:
        text: The cell's own text.
        takes: What it took.
        makes: The names that it set.
    """
    kept: list[JsonValue] = []
    for taken in takes:
        names: JsonObject = {
            how: cast("list[JsonValue]", sorted(getattr(taken, how))[:_MOST])
            for how in ("made", "changed")
        }
        kept.append({"text": digest(taken.text), **names})
    made = cast("list[JsonValue]", sorted(makes)[:_MOST])
    return {"version": _VERSION, "text": digest(text), "takes": kept, "makes": made}


def digest(text: str) -> str:
    """Stands for a cell's text; blank lines around it do not count."""
    return sha256(text.strip().encode()).hexdigest()[:16]


def read_seen(cells: Sequence[Entry]) -> Seen:
    """What the outputs of code cells say, as far as it still holds. Odd ones say nothing."""
    places: dict[str, int] = {}
    for place, (text, _) in enumerate(cells):
        places.setdefault(digest(text), place)
    edges: list[SeenEdge] = []
    makes: dict[int, frozenset[str]] = {}
    for place, (text, outputs) in enumerate(cells):
        for bundle in _bundles(digest(text), outputs):
            edges += _edges_of(place, bundle, places)
            makes[place] = _names(bundle.get("makes"))
    return Seen(tuple(edges), makes)


def _edges_of(reader: int, bundle: JsonObject, places: Mapping[str, int]) -> Iterator[SeenEdge]:
    takes = bundle.get("takes")
    for taken in takes if isinstance(takes, list) else ():
        if isinstance(taken, dict):
            maker = places.get(str(taken.get("text")))
            if maker is not None and maker != reader:
                made, changed = _names(taken.get("made")), _names(taken.get("changed"))
                yield SeenEdge(maker, reader, made, changed)


def _bundles(text: str, outputs: JsonValue) -> Iterator[JsonObject]:
    """What outputs say of this very text."""
    for output in outputs if isinstance(outputs, list) else ():
        data = output.get("data") if isinstance(output, dict) else None
        bundle = data.get(MIME) if isinstance(data, dict) else None
        if not isinstance(bundle, dict):
            continue
        if bundle.get("version") == _VERSION and bundle.get("text") == text:
            yield bundle


def _names(given: JsonValue) -> frozenset[str]:
    names = given if isinstance(given, list) else []
    return frozenset(name for name in names if isinstance(name, str) and name.isidentifier())
