"""A notebook edited in place so that it says another document.

What is the notebook's own stays: Markdown, exploration, tags, ids, outputs, and every byte of the
cells that do not change.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import DocumentError, UsageError
from agentflow_dagster.notebook.cell_text import agent_text, config_text
from agentflow_dagster.notebook.cells import NotebookCell, read_notebook
from agentflow_dagster.notebook.document import read_agent
from agentflow_dagster.notebook.json_places import CellPlace, cell_places
from agentflow_dagster.notebook.node_line import MAGIC, parse_node_line
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.notebook.settings import KNOWN, place_of, read_agent_cell, read_settings
from agentflow_dagster.notebook.writing import (
    EXTENSION,
    NewCell,
    cell_id,
    cell_json,
    config_order,
    node_source,
    nodes_of,
    notebook_cells,
    said,
)
from agentflow_dagster.spec.canonical import is_same

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject, JsonValue

_WITHIN = ("spec", "nodes", "")
"""A path at which the order of keys counts below `with` alone."""


def update_notebook(text: str, document: JsonObject, kinds: Catalogue, *, file: str) -> str:
    """Edits the text of an .ipynb file so that it says `document`.

    Args:
        text: The file's text.
        document: What it is to say; an agent that is sound.
        kinds: Every node kind known here.
        file: The file's name, which names the agent where the notebook does not.

    Raises:
        DocumentError: the notebook cannot be read, or cannot say the document.
    """
    for exact in (False, True):
        result = _Edit(text, document, kinds, file).done(exact=exact)
        told, _, found = read_agent(result, file=file, kinds=kinds)
        if told is not None and is_same(said(told), said(document)):
            return result
    raise DocumentError([d for d in found if d.severity == "error"] or [
        problem("AF628", "The notebook cannot say this by an edit in place.")])  # fmt: skip


def with_node_cell(text: str, node: str, source: str) -> str:
    """The text of an .ipynb file in which a node's cell has another text, whatever that says.

    Raises:
        UsageError: it has no such node.
    """
    cell = next((c for c in read_notebook(text).cells if c.name == node), None)
    if cell is None:
        raise UsageError(f"The notebook has no node {node!r}.")
    return _Edit(text, {}, {}, "").put(cell, source)


class _Edit:
    """One edit.

    Args:
        text: The file's text.
        document: What it is to say.
        kinds: Every node kind known here.
        file: The file's name.
    """

    def __init__(self, text: str, document: JsonObject, kinds: Catalogue, file: str) -> None:
        self._text = text
        self._kinds = kinds
        self._document = document
        self._notebook = read_notebook(text)
        if self._notebook.diagnostics and not self._notebook.cells:
            raise DocumentError(self._notebook.diagnostics)
        self._cells = {cell.name: cell for cell in self._notebook.cells if cell.node}
        self._told = read_agent(text, file=file, kinds=kinds)[0]
        self._places = cell_places(text)
        self._changes: list[tuple[int, int, str]] = []

    def done(self, *, exact: bool) -> str:
        """The text after the edit.

        Args:
            exact: Whether what changes is to be told by no other cell.
        """
        if self._told is not None and is_same(said(self._told), said(self._document)):
            return self._text
        written = {cell.id: cell for cell in notebook_cells(self._document, self._kinds)}
        self._nodes({} if exact else written)
        self._tagged("parameters", "inputs", written.get("parameters"))
        self._tagged("setup", "defaults", written.get("setup"))
        self._agent(written["agent"])
        return self._carried_out()

    def put(self, cell: NotebookCell, source: str) -> str:
        """The text with one cell's text replaced."""
        self._put(cell, source, cell.order)
        return self._carried_out()

    def _carried_out(self) -> str:
        text = self._text
        for start, end, new in sorted(self._changes, key=lambda c: c[:2], reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def _nodes(self, written: Mapping[str, NewCell]) -> None:
        before = nodes_of(self._told) if self._told else {}
        after = nodes_of(self._document)
        last = max((cell.index for cell in self._cells.values()), default=len(self._places) - 1)
        for name, cell in self._cells.items():
            if name not in after:
                self._remove(cell.index)
        new: list[NewCell] = []
        for name, node in after.items():
            cell, known = self._cells.get(name), before.get(name)
            if cell is not None and known is not None and is_same(known, node, _WITHIN):
                continue
            made = written.get(cell_id(name))
            source = made.source if made else node_source(name, node, self._kinds)
            order = config_order(node, self._kinds)
            if cell is None:
                new.append(NewCell(name, source, order=order))
            else:
                self._put(cell, self._kept(cell, source, node), order)
        self._insert(last, new)

    def _kept(self, cell: NotebookCell, source: str, node: JsonObject) -> str:
        """A node's new text with what can stay of the old: its first line, comments in its YAML."""
        line, _, body = source.partition("\n")
        kind = self._kinds.get(str(node.get("kind")))
        if cell.node and not cell.node.is_code and kind and (cell.node.kind == kind.name):
            body = config_text(node, kind.prose, cell.source) or body
        said_line = self._source_of(cell)[: -len(cell.source) or None]
        if parse_node_line(line.removeprefix(MAGIC)) == cell.node:
            return said_line + body
        return f"{line}\n{body}"

    def _tagged(self, role: str, part: str, made: NewCell | None) -> None:
        """The cells of a role, where the part of the document that they say has changed."""
        before = cast("JsonObject", self._told["spec"]).get(part) if self._told else None
        if is_same(before, cast("JsonObject", self._document["spec"]).get(part)):
            return
        mine = [cell for cell in self._notebook.cells if cell.role == role]
        if mine and made is not None:
            self._put(mine[0], made.source, ())
        elif made is not None:
            self._insert(self._first(), [made])
        for extra in mine[1:] if made is not None else mine:
            self._remove(extra.index)

    def _agent(self, made: NewCell) -> None:
        """The cell of the agent as a whole: what it says, and what has changed."""
        told = read_settings(self._notebook).values
        canonical = read_agent_cell(
            NotebookCell(-1, "", "agent", made.source.partition("\n")[2])
        ).values
        wanted = dict(told)
        for key in KNOWN:
            now, before = (_field(one, key) for one in (self._document, self._told))
            as_said = key in told and is_same(told[key], now)
            if as_said or (key != "outputs" and is_same(now, before)):
                continue
            if key in canonical:
                wanted[key] = canonical[key]
            else:
                wanted.pop(key, None)
        if is_same(told, wanted):
            return
        agent = next((cell for cell in self._notebook.cells if cell.role == "agent"), None)
        if agent is not None:
            self._put(agent, agent_text(wanted, agent.source), ())
        else:
            self._insert(self._first(), [NewCell("agent", agent_text(wanted))])

    def _first(self) -> int:
        """The cell below which the cells of the whole go: that which loads the extension."""
        entries = cast("list[JsonObject]", json.loads(self._text)["cells"])
        for index, entry in enumerate(entries):
            if EXTENSION in "".join(cast("list[str]", entry.get("source", []))):
                return index
        return -1

    def _put(self, cell: NotebookCell, source: str, order: tuple[str, ...]) -> None:
        """Gives a cell another text; its order, where that is another."""
        place = self._places[cell.index]
        assert place.source is not None
        self._replace(place.source.start, place.source.end, self._lines(place, source))
        if place.metadata is None:
            return
        span = place.metadata
        metadata = json.loads(self._text[span.start : span.end])
        if order != cell.order:
            metadata.pop("agentflow", None)
            metadata |= {"agentflow": {"order": list(order)}} if order else {}
        tags = metadata.get("tags", [])
        if source.startswith(MAGIC) and any(str(tag).startswith("node:") for tag in tags):
            metadata["tags"] = [tag for tag in tags if not str(tag).startswith("node:")]
        if metadata != json.loads(self._text[span.start : span.end]):
            self._replace(span.start, span.end, self._json(metadata, span.start))

    def _source_of(self, cell: NotebookCell) -> str:
        place = self._places[cell.index]
        assert place.source is not None
        source = json.loads(self._text[place.source.start : place.source.end])
        return source if isinstance(source, str) else "".join(source)

    def _lines(self, place: CellPlace, source: str) -> str:
        """A source as the file has them: one text, or lines."""
        assert place.source is not None
        if self._text[place.source.start] == '"':
            return json.dumps(source, ensure_ascii=False)
        return self._json(source.splitlines(keepends=True), place.source.start)

    def _json(self, value: object, at: int) -> str:
        """JSON laid out as nbformat does, at a place in the file."""
        line = self._text[self._text.rfind("\n", 0, at) + 1 : at]
        indent = line[: len(line) - len(line.lstrip())]
        return json.dumps(value, ensure_ascii=False, indent=1).replace("\n", f"\n{indent}")

    def _remove(self, index: int) -> None:
        """Takes a cell out, with the comma before it, or after it where it is the first."""
        whole = self._places[index].whole
        if index > 0:
            self._replace(self._places[index - 1].whole.end, whole.end, "")
        elif len(self._places) > 1:
            self._replace(whole.start, self._places[1].whole.start, "")
        else:
            self._replace(whole.start, whole.end, "")

    def _insert(self, below: int, cells: Sequence[NewCell]) -> None:
        """Puts cells below one; -1 puts them at the top."""
        if not cells:
            return
        ids = {str(one.get("id")) for one in json.loads(self._text)["cells"]}
        laid_out = [
            json.dumps(cell_json(_with_free_id(cell, ids)), ensure_ascii=False, indent=1)
            for cell in cells
        ]
        texts = [text.replace("\n", "\n  ") for text in laid_out]
        if not self._places:
            at = self._text.index("[", self._text.index('"cells"')) + 1
            self._replace(at, at, "\n  " + ",\n  ".join(texts) + "\n ")
        elif below < 0:
            at = self._places[0].whole.start
            self._replace(at, at, "".join(f"{text},\n  " for text in texts))
        else:
            at = self._places[below].whole.end
            self._replace(at, at, "".join(f",\n  {text}" for text in texts))

    def _replace(self, start: int, end: int, new: str) -> None:
        self._changes.append((start, end, new))


def _with_free_id(cell: NewCell, taken: set[str]) -> NewCell:
    """The cell with an id that no other cell has."""
    id_, number = cell.id, 2
    while id_ in taken:
        id_, number = f"{cell.id}-{number}", number + 1
    taken.add(id_)
    return replace(cell, id=id_)


def _field(document: JsonObject | None, key: str) -> JsonValue:
    """What a document says of a field of the agent as a whole; None where it says nothing."""
    where = place_of(key).split("/")[1:-1]
    for step in where:
        document = cast("JsonObject", document[step]) if document else None
    return document.get(key) if document else None
