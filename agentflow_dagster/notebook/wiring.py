"""Which node takes which name from which, over all cells of a notebook.

The order of cells plays no part: a name is wired to the one cell that makes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.changes import Changes
from agentflow_dagster.notebook.flow.links import follow
from agentflow_dagster.notebook.makers import Maker, Makers
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.notebook.seen import Seen
from agentflow_dagster.notebook.seen_names import disagreements, with_seen
from agentflow_dagster.spec.diagnostics import Diagnostic, Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agentflow_dagster.notebook.cells import NotebookCell
    from agentflow_dagster.notebook.expression_names import Mention
    from agentflow_dagster.notebook.reading import ReadCell

_OUTPUT = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Input:
    """A name that a node takes: from another node, or (None) from the run's input.

    Args:
        name: The name on both sides.
        producer: The node that makes it.
        place: Where it is read, in the notebook.
        reference: What it is in the document: `check.output.total`.
        by_code: Whether the node's Python reads it, rather than an expression.
    """

    name: str
    producer: str | None
    place: Position
    reference: str
    by_code: bool = True


@dataclass(frozen=True, slots=True)
class NodeWiring:
    """What one node takes and gives.

    Args:
        read: The node's cell.
        inputs: In order of the cells' text.
        outputs: Names that other nodes take; where none does, every public value that it makes.
        final: Whether no other node takes anything from it: then the agent's outputs are its own.
    """

    read: ReadCell
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    final: bool

    @property
    def cell(self) -> NotebookCell:
        """The cell as it stands in the notebook."""
        return self.read.cell


def wire(
    cells: Sequence[ReadCell],
    outputs: Sequence[Mention] | None = None,
    *,
    seen: Seen | None = None,
) -> tuple[list[NodeWiring], list[Diagnostic]]:
    """Wires the nodes, and tells what does not fit together.

    Args:
        cells: Every cell.
        outputs: What the agent's outputs name, where the author has said what they are.
        seen: What was seen of them when they ran.
    """
    links = follow(tuple(read.text for read in cells))
    seen = seen or Seen()
    cells = with_seen(cells, seen, links)
    makers = Makers(cells)
    nodes = [read for read in cells if read.cell.role == "node"]
    found: list[Diagnostic] = []
    shared: list[Input] = []
    for read in cells:
        if read.cell.role == "setup":
            shared += _take(read, makers, found)
    inputs = {
        read.cell.name: (
            *shared,
            *_take(read, makers, found),
            *_take_unwritten(read, makers, links.looked_up(place), shared),
        )
        for place, read in enumerate(cells)
        if read.cell.role == "node"
    }
    asked = [m for read in nodes for m in read.mentions] + list(outputs or ())
    wired = [_node(read, inputs, asked) for read in nodes]
    if outputs is None:
        found += _twice_final(wired)
    changes = Changes(cells, makers, links)
    for read in nodes:
        found += changes.by_node(read)
    for read in cells:
        if not read.cell.ships:
            found += changes.by_exploration(read)
    found += disagreements(cells, seen.edges, links, makers)
    return wired, list(dict.fromkeys(found))


def _take(read: ReadCell, makers: Makers, found: list[Diagnostic]) -> Iterator[Input]:
    """What a cell takes from others; problems are added to `found`."""
    cell, names = read.cell, read.names
    everything = {**names.builtins, **names.reads}
    taken = [(m.name, read.place(m.place), False) for m in read.mentions if m.is_variable]
    taken += [(name, at, True) for name, at in everything.items()]
    for name, position, by_code in sorted(taken, key=lambda one: _order(one[1])):
        match makers.find(name, cell, position):
            case Maker() as maker:
                producer = maker.cell.name if maker.cell.role == "node" else None
                yield Input(name, producer, cell.place(position), maker.reference(name), by_code)
            case Diagnostic() as diagnostic:
                found.append(diagnostic)
            case None:
                pass
    for name, position in names.perhaps.items():
        if rivals := makers.shipping(name, apart_from=cell):
            found.append(
                problem(
                    "AF622",
                    f"{cell.title} makes {name!r} on some paths only, and {rivals[0].cell.title} "
                    "makes it too.",
                    cell=cell,
                    position=position,
                    hint="Give one of them another name, or set it on every path.",
                )
            )


def _take_unwritten(
    read: ReadCell, makers: Makers, looked_up: Mapping[str, Position], shared: Iterable[Input]
) -> Iterator[Input]:
    """What a cell looks up under names that its text does not have: `globals()["rows"]`."""
    names = read.names
    known = {*names.reads, *names.builtins, *names.defines, *(each.name for each in shared)}
    known |= read.cell.node.inputs.keys() if read.cell.node else set()
    for name, position in looked_up.items():
        if name not in known:
            maker = makers.find(name, read.cell, position)
            if isinstance(maker, Maker) and maker.cell.ships:
                producer = maker.cell.name if maker.cell.role == "node" else None
                place = read.cell.place(position)
                yield Input(name, producer, place, maker.reference(name))


def _node(
    read: ReadCell, inputs: dict[str, tuple[Input, ...]], asked: Sequence[Mention]
) -> NodeWiring:
    name = read.cell.name
    own: dict[str, Input] = {}  # one that setup reads too is given once
    for one in sorted(inputs[name], key=lambda one: one.by_code):
        own[one.name] = one
    taken = {i.name for taker in inputs.values() for i in taker if i.producer == name}
    spoken = [m.path for m in asked if not m.is_variable and m.name == name]
    public = [
        n
        for n, binding in read.names.defines.items()
        if binding.kind == "value" and _OUTPUT.fullmatch(n)
    ]
    whole = any(len(path) == 1 for path in spoken) or not (taken or spoken)
    taken |= {path[1] for path in spoken if path[1:]}
    outputs = [n for n in read.names.defines if n in taken or (whole and n in public)]
    return NodeWiring(read, tuple(own.values()), tuple(outputs), final=not (taken or spoken))


def _twice_final(wired: Iterable[NodeWiring]) -> Iterator[Diagnostic]:
    """Two nodes that would give the agent an output of one name.

    A name that some node reads has been judged there.
    """
    first: dict[str, NodeWiring] = {}
    read = {name for node in wired for name in node.read.names.reads}
    read |= {m.name for node in wired for m in node.read.mentions if m.is_variable}
    for node in wired:
        for name in node.outputs if node.final else ():
            if name in read:
                continue
            other = first.setdefault(name, node)
            if other is not node:
                yield problem(
                    "AF614",
                    f"{name!r} is made by {other.cell.title} and {node.cell.title}, and both give "
                    "it as an output of the agent.",
                    cell=node.cell,
                    position=node.read.names.defines[name].position,
                    hint="Rename one, or begin its name with _ if it is no result.",
                )


def _order(position: Position) -> tuple[int, int]:
    return position.line, position.column
