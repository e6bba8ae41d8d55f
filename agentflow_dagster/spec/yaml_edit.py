"""Edits YAML in place: every node that says what is wanted keeps its bytes.

A block collection is cut into chunks, one per entry, each with the comments above it and behind it;
a flow collection into its elements and what stands between them. Chunks that stay are put together
again as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.spec import yaml_flow_edit, yaml_text
from agentflow_dagster.spec.alignment import paired
from agentflow_dagster.spec.canonical import is_same, order_counts
from agentflow_dagster.spec.yaml_places import Chunk, NotEditable, Places
from agentflow_dagster.spec.yaml_reader import key_text, node_value
from agentflow_dagster.spec.yaml_tree import (
    YamlAlias,
    YamlMapping,
    YamlNode,
    YamlScalar,
    YamlSequence,
    compose,
)

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

Path = tuple[str | int, ...]


def edited(text: str, document: JsonObject, *, aliases_out: bool) -> str:
    """The text with what has to change changed, as far as that can be told from places alone.

    Args:
        text: YAML that can be read.
        document: What it is to say.
        aliases_out: Write out what `*name` stands for.
    """
    root = compose(text)
    assert root is not None
    quoted_keys = isinstance(root, YamlMapping) and root.flow and _is_quoted(root)
    editor = Editor(text, aliases_out=aliases_out, is_json=quoted_keys)
    start, end = editor.places.region(root, root.start)
    rewritten = editor.rewritten(root, document, (), root.start)
    if rewritten is None:
        rewritten = yaml_text.write_yaml(document).rstrip("\n")
    return text[:start] + rewritten + text[end:]


class Editor:
    """Rewrites nodes of one text; one that is JSON stays JSON."""

    def __init__(self, text: str, *, aliases_out: bool, is_json: bool) -> None:
        self.text = text
        self.places = Places(text)
        self._aliases_out = aliases_out
        self._is_json = is_json

    def flow(self, value: JsonValue, *, like: YamlNode | None = None) -> str:
        """A value on one line, in the quotes of the one that it replaces."""
        if self._is_json:
            return yaml_text.as_json(value)
        if isinstance(value, str) and isinstance(like, YamlScalar):
            return yaml_text.requoted(value, like.style, inside=True)
        return yaml_text.flow(value)

    def flow_entry(self, key: str, value: JsonValue) -> str:
        """`key: value` inside a mapping in flow style."""
        if self._is_json:
            return f"{yaml_text.as_json(key)}: {yaml_text.as_json(value)}"
        return yaml_text.flow_entry(key, value)

    def is_said(self, node: YamlNode, wanted: JsonValue, path: Path) -> bool:
        """Whether a node can stay as it is."""
        if self._aliases_out and _has_alias(node):
            return False
        return is_same(node_value(node), wanted, path)

    def rewritten(self, node: YamlNode, wanted: JsonValue, path: Path, floor: int) -> str | None:
        """The new text of a node's region; None where it takes another shape.

        `floor` is where what stands before the node ends: its key, or a dash.
        """
        if self.is_said(node, wanted, path):
            start, end = self.places.region(node, floor)
            return self.text[start:end]
        try:
            match node, wanted:
                case YamlMapping(flow=False), dict() if wanted:
                    return self._block_mapping(node, cast("JsonObject", wanted), path, floor)
                case YamlSequence(flow=False), list() if wanted:
                    return self._block_sequence(node, cast("list[JsonValue]", wanted), path, floor)
                case YamlMapping(flow=True), dict() if wanted:
                    return yaml_flow_edit.mapping(self, node, cast("JsonObject", wanted), path)
                case YamlSequence(flow=True), list() if wanted:
                    items = cast("list[JsonValue]", wanted)
                    return yaml_flow_edit.sequence(self, node, items, path)
                case _:
                    return None
        except NotEditable:
            return None

    def _block_mapping(self, node: YamlMapping, wanted: JsonObject, path: Path, floor: int) -> str:
        chunks = self.places.mapping_chunks(node, floor)
        known = {key_text(key): chunk for (key, _), chunk in zip(node.entries, chunks, strict=True)}
        kept = [key for key in known if key in wanted]
        order = [*kept, *(key for key in wanted if key not in known)]
        if order_counts(path):
            order = list(wanted)
        column = self.places.column(node.start)
        pieces: list[_Piece] = []
        neighbour: YamlNode | None = None
        for key in order:
            chunk = known.get(key)
            if chunk is None:
                rows = _new_entry(key, wanted[key], column, neighbour)
                pieces.append(_Piece(None, "\n".join(rows)))
                continue
            neighbour = chunk.node
            pieces.append(_Piece(chunk, self._chunk(chunk, wanted[key], (*path, key), column)))
        return _joined(pieces, chunks[0], column)

    def _block_sequence(
        self, node: YamlSequence, wanted: list[JsonValue], path: Path, floor: int
    ) -> str:
        chunks = self.places.sequence_chunks(node, floor)
        column = self.places.column(node.start)
        pieces: list[_Piece] = []
        for old, new in paired([node_value(n) for n in node.items], wanted):
            if new is None:
                continue
            if old is None:
                rows = yaml_text.item(wanted[new], column)
                pieces.append(_Piece(None, "\n".join(rows)))
            else:
                body = self._chunk(chunks[old], wanted[new], (*path, new), column)
                pieces.append(_Piece(chunks[old], body))
        return _joined(pieces, chunks[0], column)

    def _chunk(self, chunk: Chunk, wanted: JsonValue, path: Path, column: int) -> str:
        """A chunk without its lead, saying what is wanted."""
        value = self.rewritten(chunk.node, wanted, path, chunk.floor)
        if value is not None:
            return chunk.head + chunk.gap + value + chunk.tail
        return _replaced(chunk, wanted, column)


@dataclass(frozen=True, slots=True)
class _Piece:
    """One entry of a new block collection; `chunk` is where it comes from, None for a new one."""

    chunk: Chunk | None
    body: str


def _joined(pieces: list[_Piece], first: Chunk, column: int) -> str:
    """The pieces one below the other, each with the comments that stood above it."""
    margin = "\n" + " " * column
    texts: list[str] = []
    for index, piece in enumerate(pieces):
        lead = piece.chunk.lead if piece.chunk else margin
        if index > 0:
            lead = lead if lead.startswith("\n") else margin
        elif piece.chunk is not first:
            lead = _opening_lead(lead, first.lead, column)
        texts.append(lead + piece.body)
    return "".join(texts)


def _opening_lead(lead: str, replaced: str, column: int) -> str:
    """The lead of an entry that comes to stand first, where `replaced` stood."""
    without_blank_lines = re.sub(r"^(\n[ \t]*)+(?=\n)", "", lead)
    if replaced.startswith("\n"):
        return without_blank_lines
    # The first key of a file, or one behind a dash, begins no line of its own.
    return without_blank_lines.lstrip("\n") if column == 0 else ""


def _new_entry(key: str, value: JsonValue, column: int, neighbour: YamlNode | None) -> list[str]:
    """A new entry, on one line where its neighbour is and it fits."""
    if isinstance(value, dict | list) and value and _is_flow(neighbour):
        rows = yaml_text.entry(key, value, column, inline=True)
        if column + len(rows[0]) <= yaml_text.WIDTH:
            return rows
    return yaml_text.entry(key, value, column)


def _replaced(chunk: Chunk, wanted: JsonValue, column: int) -> str:
    """A chunk with a value of another shape; a comment behind its key or value stays there."""
    comment, _, below = chunk.tail.partition("\n")
    below = "\n" + below if "\n" in chunk.tail else ""
    if "#" in chunk.gap:  # A block began on the next line.
        comment = chunk.gap[len(chunk.indicator) :].partition("\n")[0].rstrip()
    first, *rest = _rows(chunk.node, wanted, column)
    if chunk.head == "-" and not first:
        rows = yaml_text.item(wanted, column)
        return "\n".join(rows) + below
    start = chunk.head + chunk.indicator + (f" {first}" if first else "") + comment
    return "\n".join([start, *rest]) + below


def _rows(node: YamlNode, wanted: JsonValue, column: int) -> list[str]:
    """The value in the style of the node that it replaces."""
    if isinstance(wanted, str) and isinstance(node, YamlScalar):
        return yaml_text.restyled(wanted, node.style, column)
    if _is_flow(node) and column + len(line := yaml_text.flow(wanted)) <= yaml_text.WIDTH:
        return [line]
    return yaml_text.lines(wanted, column)


def _is_quoted(node: YamlMapping) -> bool:
    return all(isinstance(key, YamlScalar) and key.style == '"' for key, _ in node.entries)


def _is_flow(node: YamlNode | None) -> bool:
    return isinstance(node, YamlMapping | YamlSequence) and node.flow


def _has_alias(node: YamlNode) -> bool:
    match node:
        case YamlAlias():
            return True
        case YamlMapping():
            return any(_has_alias(k) or _has_alias(v) for k, v in node.entries)
        case YamlSequence():
            return any(_has_alias(n) for n in node.items)
        case YamlScalar():
            return False
