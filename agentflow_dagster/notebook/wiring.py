"""Which node takes which name from which, over all cells of a notebook.

The order of cells plays no part: a name is wired to the one cell that makes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.makers import Maker, Makers
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.spec.diagnostics import Diagnostic, Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agentflow_dagster.notebook.cells import NotebookCell
    from agentflow_dagster.notebook.reading import ReadCell

_OUTPUT = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Input:
    """A name that a node takes: from another node, or (None) from the run's input.

    Args:
        name: The name on both sides.
        producer: The node that makes it.
        place: Where it is read, in the notebook.
    """

    name: str
    producer: str | None
    place: Position


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


def wire(cells: Sequence[ReadCell]) -> tuple[list[NodeWiring], list[Diagnostic]]:
    """Wires the nodes, and tells what does not fit together."""
    makers = Makers(cells)
    nodes = [read for read in cells if read.cell.role == "node"]
    found: list[Diagnostic] = []
    shared: list[Input] = []
    for read in cells:
        if read.cell.role == "setup":
            shared += _take(read, makers, found)
    inputs = {read.cell.name: (*shared, *_take(read, makers, found)) for read in nodes}
    wired = [_node(read, inputs) for read in nodes]
    found += _twice_final(wired)
    for read in nodes:
        found += _changes(read, makers, nodes)
    for read in cells:
        if not read.cell.ships:
            found += _interferes(read, makers, nodes)
    return wired, list(dict.fromkeys(found))


def _take(read: ReadCell, makers: Makers, found: list[Diagnostic]) -> Iterator[Input]:
    """What a cell takes from others; problems are added to `found`."""
    cell, names = read.cell, read.names
    everything = {**names.builtins, **names.reads}
    for name, position in sorted(everything.items(), key=lambda item: _order(item[1])):
        match makers.find(name, cell, position):
            case Maker(cell=source):
                producer = source.name if source.role == "node" else None
                yield Input(name, producer, cell.place(position))
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


def _node(read: ReadCell, inputs: dict[str, tuple[Input, ...]]) -> NodeWiring:
    name = read.cell.name
    taken = {i.name for taker in inputs.values() for i in taker if i.producer == name}
    own = {i.name: i for i in inputs[name]}  # one that setup reads too is given once
    if taken:
        outputs = [n for n in read.names.defines if n in taken]
    else:
        outputs = [
            n
            for n, binding in read.names.defines.items()
            if binding.kind == "value" and _OUTPUT.fullmatch(n)
        ]
    return NodeWiring(read, tuple(own.values()), tuple(outputs), final=not taken)


def _twice_final(wired: Iterable[NodeWiring]) -> Iterator[Diagnostic]:
    """Two nodes that would give the agent an output of one name.

    A name that some node reads has been judged there.
    """
    first: dict[str, NodeWiring] = {}
    read = {name for node in wired for name in node.read.names.reads}
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


def _changes(read: ReadCell, makers: Makers, nodes: Sequence[ReadCell]) -> Iterator[Diagnostic]:
    """Changes in place to what another cell made: in production they stay in the node."""
    for name, position in read.names.mutates.items():
        source = next(iter(makers.shipping(name, apart_from=read.cell)), None)
        if source is None or source.binding.kind == "import":
            continue
        others = [
            n.cell
            for n in nodes
            if n is not read and n.cell is not source.cell and name in n.names.reads
        ]
        unseen = (
            f"{others[0].title} would not see it" if others else "the change stays in this node"
        )
        yield problem(
            "AF616",
            f"{read.cell.title} changes {name!r} in place, which {source.cell.title} makes; "
            f"{unseen}.",
            cell=read.cell,
            position=position,
            hint=f"Make a new value under a new name, such as `{name}_2 = {name}.copy()`.",
            only_warn=not others,
        )


def _interferes(read: ReadCell, makers: Makers, nodes: Sequence[ReadCell]) -> Iterator[Diagnostic]:
    """What a cell that does not ship does to values on their way between two nodes."""
    index = read.cell.index
    touched = {n: b.position for n, b in read.names.defines.items() if b.kind != "import"}
    for name, position in {**touched, **read.names.mutates}.items():
        source = next(iter(makers.shipping(name, apart_from=read.cell)), None)
        if source is None or source.cell.index > index or source.binding.kind == "import":
            continue
        if after := [n for n in nodes if n.cell.index > index and name in n.names.reads]:
            yield problem(
                "AF623",
                f"{read.cell.title} changes {name!r} between {source.cell.title} and "
                f"{after[0].cell.title}, and does not ship: the agent will give other results.",
                cell=read.cell,
                position=position,
                hint="Use another name here, or make the cell a node.",
            )


def _order(position: Position) -> tuple[int, int]:
    return position.line, position.column
