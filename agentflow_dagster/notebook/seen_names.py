"""What ipyflow saw, put beside what the text says.

What the text cannot say (`exec`, `globals()[name]`) is taken over. A name that a text does not look
up, and that nothing hidden in it could, was not read, whatever was seen: ipyflow knows objects by
their addresses, which are used again. And what the text says and was not seen is no disagreement: a
branch was not taken, or the cell has not run. It is one where what was seen contradicts the text.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.names import Binding
from agentflow_dagster.notebook.problems import problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agentflow_dagster.notebook.flow.links import Links
    from agentflow_dagster.notebook.makers import Makers
    from agentflow_dagster.notebook.reading import ReadCell
    from agentflow_dagster.notebook.seen import Seen, SeenEdge
    from agentflow_dagster.spec.diagnostics import Diagnostic, Position


def could_read(names: frozenset[str], reader: int, links: Links) -> frozenset[str]:
    """Which of the names that ipyflow saw a cell take it can have taken."""
    if links.blind(reader):
        return names
    return names & links.looked_up(reader).keys()


def with_seen(cells: Sequence[ReadCell], seen: Seen, links: Links) -> list[ReadCell]:
    """The cells with the names that their texts hide, and that were seen when they ran."""
    found = list(cells)
    for cell, names in seen.makes.items():
        found[cell] = _with(found[cell], _hidden(links, cell), makes=names)
    for edge in seen.edges:
        names = could_read(edge.made, edge.reader, links)
        found[edge.reader] = _with(found[edge.reader], _hidden(links, edge.reader), reads=names)
    return found


def _with(
    read: ReadCell,
    hides: Position | None,
    *,
    makes: frozenset[str] = frozenset(),
    reads: frozenset[str] = frozenset(),
) -> ReadCell:
    """A cell that makes or reads these names, too, where it hides what it does."""
    names = read.names
    if hides is None:
        return read
    more_made = {name: Binding("value", hides) for name in sorted(makes)}
    known = {*names.reads, *names.perhaps, *names.builtins, *names.defines}
    more_read = dict.fromkeys(sorted(reads - known), hides)
    defines, asked = {**more_made, **names.defines}, {**names.reads, **more_read}
    return replace(read, names=replace(names, defines=defines, reads=asked))


def disagreements(
    cells: Sequence[ReadCell], seen: Sequence[SeenEdge], links: Links, makers: Makers
) -> Iterator[Diagnostic]:
    """Where what was seen contradicts what the agent will do."""
    for edge in seen:
        maker, reader = cells[edge.maker], cells[edge.reader]
        if reader.cell.role != "node":
            continue
        for name in sorted(could_read(edge.made, edge.reader, links)):
            yield from _another_maker(name, maker, reader, makers)
        known = links.taken(edge.maker, edge.reader).keys() | maker.names.mutates.keys()
        for name in sorted(could_read(edge.changed, edge.reader, links) - known):
            yield from _hidden_change(name, maker, reader, makers)


def _another_maker(
    name: str, maker: ReadCell, reader: ReadCell, makers: Makers
) -> Iterator[Diagnostic]:
    """The value came from one cell, and in the agent comes from another."""
    ships = makers.shipping(name, apart_from=reader.cell)
    if len(ships) != 1 or ships[0].cell is maker.cell or name not in reader.names.reads:
        return
    source = ships[0].cell
    between = source.index < maker.cell.index < reader.cell.index
    if between and not maker.cell.ships:  # AF623 says so
        return
    yield problem(
        "AF629",
        f"{reader.cell.title} took {name!r} from {maker.cell.title} when it ran; in the agent it "
        f"takes it from {source.title}.",
        cell=reader.cell,
        position=reader.names.reads[name],
        hint=f"Run {source.title} and then this one again, or use another name in the other.",
    )


def _hidden_change(
    name: str, maker: ReadCell, reader: ReadCell, makers: Makers
) -> Iterator[Diagnostic]:
    """A cell changed in place what another one made, though its text does not show it."""
    ships = makers.shipping(name, apart_from=reader.cell)
    if not ships or not ships[0].is_value or ships[0].cell in (maker.cell, reader.cell):
        return
    yield problem(
        "AF630",
        f"{maker.cell.title} changed {name!r} in place when it ran, which {ships[0].cell.title} "
        f"makes; {reader.cell.title} saw it, and would not in the agent.",
        cell=maker.cell,
        hint=f"Make a new value under a new name, such as `{name}_2 = …`.",
    )


def _hidden(links: Links, cell: int) -> Position | None:
    """Where a text hides what it does."""
    blind = links.blind(cell)
    return blind[0].position if blind else None
