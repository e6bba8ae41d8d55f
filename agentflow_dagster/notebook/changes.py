"""Changes in place that are seen in the notebook, where cells share objects, and not in an agent.

There each node has values of its own. That a cell changes something its own text may say, or only
what is known of all cells: a function that it calls, or another name for the same thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.notebook.problems import problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agentflow_dagster.notebook.flow.links import Links
    from agentflow_dagster.notebook.makers import Maker, Makers
    from agentflow_dagster.notebook.reading import ReadCell
    from agentflow_dagster.spec.diagnostics import Diagnostic, Position


class Changes:
    """Finds them.

    Args:
        cells: All cells.
        makers: Who makes their names.
        links: What they take from each other.
    """

    def __init__(self, cells: Sequence[ReadCell], makers: Makers, links: Links) -> None:
        self._makers = makers
        self._links = links
        self._places = {id(read): place for place, read in enumerate(cells)}
        self._nodes = [read for read in cells if read.cell.role == "node"]

    def by_node(self, read: ReadCell) -> Iterator[Diagnostic]:
        """What a node changes that another cell made: in production that stays in the node."""
        for name, position in read.names.mutates.items():
            if (source := self._source(read, name)) is not None:
                others = [*self._readers(read, source, name), *self._who_see(read, source)]
                yield self._unseen(read, source, name, position, others, is_sure=True)
        for name, position in self._links.changed(self._places[id(read)]).items():
            source = self._source(read, name)
            if name in read.names.mutates or source is None or not source.is_value:
                continue
            others = self._who_see(read, source)
            if others:  # of what functions keep for themselves nothing is said
                is_sure = source.cell.role != "setup"
                yield self._unseen(read, source, name, position, others, is_sure=is_sure)

    def by_exploration(self, read: ReadCell) -> Iterator[Diagnostic]:
        """What a cell that does not ship does to values on their way between two nodes."""
        index = read.cell.index
        touched = {n: b.position for n, b in read.names.defines.items() if b.kind != "import"}
        changed = self._links.changed(self._places[id(read)])
        for name, position in {**changed, **touched, **read.names.mutates}.items():
            source = self._source(read, name)
            if source is None or source.cell.index > index:
                continue
            after = [n for n in self._nodes if n.cell.index > index and name in n.names.reads]
            if after:
                yield problem(
                    "AF623",
                    f"{read.cell.title} changes {name!r} between {source.cell.title} and "
                    f"{after[0].cell.title}, and does not ship: the agent will give other results.",
                    cell=read.cell,
                    position=position,
                    hint="Use another name here, or make the cell a node.",
                )

    def _source(self, read: ReadCell, name: str) -> Maker | None:
        """Who makes what a cell finds under a name; nobody where its own line gives it."""
        if read.cell.node is not None and name in read.cell.node.inputs:
            return None
        source = next(iter(self._makers.shipping(name, apart_from=read.cell)), None)
        return None if source is None or source.binding.kind == "import" else source

    def _readers(self, read: ReadCell, source: Maker, name: str) -> list[ReadCell]:
        """Nodes that read the same name."""
        return [
            node
            for node in self._nodes
            if node is not read and node.cell is not source.cell and name in node.names.reads
        ]

    def _who_see(self, read: ReadCell, source: Maker) -> list[ReadCell]:
        """Nodes that see changes in the notebook of what a cell makes, by whichever name."""
        place = self._places[id(read)]
        return [
            node
            for node in self._nodes
            if node is not read
            and node.cell is not source.cell
            and any(
                how == "changed" and self._is_of(node, seen, source)
                for seen, how in self._links.taken(place, self._places[id(node)]).items()
            )
        ]

    def _is_of(self, node: ReadCell, name: str, source: Maker) -> bool:
        """Whether the same cell makes this name, too."""
        other = self._source(node, name)
        return other is not None and other.cell is source.cell

    def _unseen(
        self,
        read: ReadCell,
        source: Maker,
        name: str,
        position: Position,
        others: Sequence[ReadCell],
        *,
        is_sure: bool,
    ) -> Diagnostic:
        unseen = (
            f"{others[0].cell.title} would not see it"
            if others
            else "the change stays in this node"
        )
        return problem(
            "AF616",
            f"{read.cell.title} changes {name!r} in place, which {source.cell.title} makes; "
            f"{unseen}.",
            cell=read.cell,
            position=position,
            hint=f"Make a new value under a new name, such as `{name}_2 = {name}.copy()`.",
            only_warn=not (others and is_sure),
        )
