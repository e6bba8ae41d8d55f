"""A notebook's code cells and what each is for.

Roles come from cell tags (`parameters`, `setup`, `test`, `node:NAME`) or from `%%node NAME` on the
first line; `%%agentflow agent` holds, as YAML, what is of the agent as a whole. Every other cell is
exploration and does not ship. Cells that papermill injected are
left out: they hold one run's values.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from agentflow_dagster.notebook.node_line import MAGIC, NodeLine, parse_node_line
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.notebook.seen import Entry, Seen, read_seen
from agentflow_dagster.spec.diagnostics import Diagnostic, Position

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

MAX_BYTES = 5_000_000

AGENT_MAGIC = "%%agentflow"
Role: TypeAlias = Literal["parameters", "setup", "node", "agent", "test", "exploration"]
_TAGS: dict[str, Role] = {"parameters": "parameters", "setup": "setup", "test": "test"}


@dataclass(frozen=True, slots=True)
class NotebookCell:
    """One code cell.

    Args:
        index: Its place among all cells, from 0; -1 where it is looked at alone.
        id: Its id in the file; "" in files older than format 4.5.
        role: What it is for.
        source: Its text, without the `%%node` line.
        first_line: The line of the cell on which `source` begins, from 1.
        node: What the `%%node` line or `node:` tag says.
        order: The fields of the node's config in the order that its document has them, where that
            is not the cell's own; it counts in a version's hash.
    """

    index: int
    id: str
    role: Role
    source: str
    first_line: int = 1
    node: NodeLine | None = None
    order: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The node's name; "" where the cell is no node."""
        return self.node.name if self.node else ""

    @property
    def title(self) -> str:
        """What diagnostics call it."""
        what = f"node {self.name!r}" if self.node else f"the {self.role} cell"
        return what if self.index < 0 else f"{what} (cell {self.index + 1})"

    @property
    def ships(self) -> bool:
        """Whether the cell is part of the agent."""
        return self.role in {"parameters", "setup", "node"}

    @property
    def head(self) -> Position:
        """The `%%node` line, counted as `source` is; the first line where there is none."""
        return Position(0 if self.first_line > 1 else 1)

    def place(self, position: Position) -> Position:
        """A place in `source` as a place in the notebook."""
        return Position(position.line + self.first_line - 1, position.column, self.index)


@dataclass(frozen=True, slots=True)
class Notebook:
    """What a notebook file says.

    Args:
        cells: Its code cells, in order.
        settings: The notebook's `agentflow` metadata.
        diagnostics: What is wrong with it.
        seen: What was seen of them when they ran, by their places in `cells`.
    """

    cells: tuple[NotebookCell, ...] = ()
    settings: JsonValue = None
    diagnostics: tuple[Diagnostic, ...] = ()
    seen: Seen = field(default_factory=Seen)


def read_notebook(source: Path | str) -> Notebook:
    """Reads an .ipynb file, or its text. What is wrong with it is in `diagnostics`.

    The few fields that are read are checked here; nbformat's own check takes a second to load.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    if size > MAX_BYTES:
        message = f"The notebook has {size:,} bytes; the limit is {MAX_BYTES:,}."
        hint = "Clear its outputs, or keep data in files."
        return Notebook(diagnostics=(problem("AF602", message, hint=hint),))
    try:
        text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
        content: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        return _refused(f"it is not JSON ({error})")
    if not isinstance(content, dict):
        return _refused("it holds no object")
    document = cast("JsonObject", content)
    if document.get("nbformat") != 4:
        return _refused(f"its `nbformat` is {document.get('nbformat')!r}")
    entries = document.get("cells")
    if not isinstance(entries, list):
        return _refused("it has no list of `cells`")
    cells: list[NotebookCell] = []
    ran: list[Entry] = []
    found: list[Diagnostic] = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            return _refused(f"cell {index + 1} is no object")
        body = _text(entry.get("source"))
        if body is None:
            return _refused(f"cell {index + 1} has no text as its `source`")
        tags = _tags(entry)
        if entry.get("cell_type") == "code" and "injected-parameters" not in tags:
            cell, problems = _cell(index, str(entry.get("id") or ""), body, tags)
            cells.append(replace(cell, order=_order(entry)))
            ran.append((body, entry.get("outputs")))
            found.extend(problems)
    metadata = document.get("metadata")
    settings = metadata.get("agentflow") if isinstance(metadata, dict) else None
    return Notebook(tuple(cells), settings, tuple(found), read_seen(ran))


def cell_source(text: str, node: str) -> str | None:
    """The whole text of a node's cell, its first line too, in the text of an .ipynb file that can
    be read; of a cell that is a node by its tag, with the line that says the same."""
    cell = next((c for c in read_notebook(text).cells if c.name == node), None)
    if cell is None:
        return None
    entries = cast("list[JsonObject]", json.loads(text)["cells"])
    whole = _text(entries[cell.index].get("source")) or ""
    if whole.lstrip().startswith(MAGIC):
        return whole.lstrip()
    line = next(t for t in _tags(entries[cell.index]) if t.startswith("node:"))
    return f"{MAGIC} {line.removeprefix('node:')}\n{whole}"


def _refused(why: str) -> Notebook:
    hint = "Save it in JupyterLab, or run `jupyter nbconvert --to notebook` on it."
    return Notebook(diagnostics=(problem("AF601", f"Not a notebook: {why}.", hint=hint),))


def _text(source: JsonValue) -> str | None:
    """A cell's source: one text, or lines that end in their own newlines."""
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(cast("list[str]", source))
    return source if isinstance(source, str) else None


def _tags(entry: JsonObject) -> list[str]:
    metadata = entry.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return [str(tag) for tag in tags] if isinstance(tags, list) else []


def _order(entry: JsonObject) -> tuple[str, ...]:
    """The order of the config's fields, in the cell's `agentflow` metadata."""
    metadata = entry.get("metadata")
    own = metadata.get("agentflow") if isinstance(metadata, dict) else None
    order = own.get("order") if isinstance(own, dict) else None
    return tuple(str(name) for name in order) if isinstance(order, list) else ()


def _cell(
    index: int, id_: str, source: str, tags: list[str]
) -> tuple[NotebookCell, list[Diagnostic]]:
    """One cell by its tags and first line."""
    roles: list[Role] = [_TAGS[tag] for tag in tags if tag in _TAGS]
    lines = [tag.removeprefix("node:") for tag in tags if tag.startswith("node:")]
    blank = len(source) - len(source.lstrip())
    head, _, body = source[blank:].partition("\n")
    first_line = 1
    if head.split(maxsplit=1)[:1] == [MAGIC]:
        lines.append(head.removeprefix(MAGIC).strip())
        first_line = source[:blank].count("\n") + 2
        source = body
    if head.split() == [AGENT_MAGIC, "agent"]:
        roles.append("agent")
        first_line = source[:blank].count("\n") + 2
        source = body
    roles.extend("node" for _ in lines)
    role: Role = roles[0] if roles else "exploration"
    cell = NotebookCell(index, id_, role, source, first_line)
    found: list[Diagnostic] = []
    if len(set(roles)) > 1 or len(lines) > 1:
        message = f"The cell is marked as {' and as '.join(roles)}."
        found.append(_on_first_line("AF626", message, cell, "Keep one tag or the `%%node` line."))
    if not lines:
        return cell, found
    try:
        node = parse_node_line(lines[0])
    except ValueError as error:
        hint = "Write %%node NAME [--timeout 30s] [--retry 3] [--memory 512Mi]."
        found.append(_on_first_line("AF603", f"{MAGIC} {lines[0]}: {error}.", cell, hint))
        node = NodeLine(f"cell_{index + 1}")
    return NotebookCell(index, id_, role, source, first_line, node), found


def _on_first_line(code: str, message: str, cell: NotebookCell, hint: str) -> Diagnostic:
    return problem(code, message, cell=cell, position=cell.head, hint=hint)
