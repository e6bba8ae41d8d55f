"""Where in a YAML text the parts of its nodes begin and end, comments included."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.spec.yaml_tree import (
    YamlAlias,
    YamlMapping,
    YamlNode,
    YamlScalar,
    YamlSequence,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_FILLING = re.compile(r"(?:[ \t\n]|(?:(?<=[ \t\n])|^)#[^\n]*)*")
"""Space and comments."""
_BLANK_END = re.compile(r"(?:\n[ \t]*)+$")
_COLON = re.compile(r"[ \t]*:")


class NotEditable(Exception):
    """A node is written so that it cannot be edited: with an anchor before a block, say."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One entry of a block collection, and its part of the text.

    Args:
        lead: From the end of the entry before: a newline, comments above, indentation.
        head: The key as it is written, or `-`.
        indicator: The colon behind the key, or nothing.
        gap: From the head to the value, `indicator` included.
        node: The value.
        floor: Where the head ends in the text.
        tail: Behind the value: spaces, a comment, and comments below that are deeper indented.
    """

    lead: str
    head: str
    indicator: str
    gap: str
    node: YamlNode
    floor: int
    tail: str


class Places:
    """The places in one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends: dict[int, int] = {}

    def column(self, index: int) -> int:
        """How far from the beginning of its line a place is."""
        return index - self._line_start(index)

    def after_filling(self, index: int) -> int:
        """The next place that is neither space nor comment."""
        found = _FILLING.match(self._text, index)
        return found.end() if found else index

    def after_colon(self, index: int) -> int | None:
        """The place behind the colon that comes next, if one does; after `? key`, a line below."""
        if found := _COLON.match(self._text, index):
            return found.end()
        at = self.after_filling(index)
        return at + 1 if self._text[at : at + 1] == ":" else None

    def region(self, node: YamlNode, floor: int) -> tuple[int, int]:
        """Where a node begins and ends; a block collection begins with the comments above it.

        `floor` is where the key or dash before it ends; an empty value stands there.
        """
        if isinstance(node, YamlScalar) and node.start == node.end:
            return floor, floor
        start = node.start
        if isinstance(node, YamlMapping | YamlSequence) and not node.flow:
            start = self._lead_start(node.start, floor)
        return start, self.end(node, floor)

    def end(self, node: YamlNode, floor: int) -> int:
        """Where a node's text ends: without blank lines below it, with deeper comments."""
        if id(node) not in self._ends:
            self._ends[id(node)] = self._end(node, floor)
        return self._ends[id(node)]

    def mapping_chunks(self, node: YamlMapping, floor: int) -> list[Chunk]:
        """A block mapping's entries.

        Raises:
            NotEditable: a key is no text, or something stands before the first.
        """
        heads: list[tuple[int, int, YamlNode]] = []
        for key, value in node.entries:
            if not isinstance(key, YamlScalar) or key.style in {"|", ">"}:
                raise NotEditable
            heads.append((key.start, key.end, value))
        return self._chunks(node.start, heads, floor, self.after_colon)

    def sequence_chunks(self, node: YamlSequence, floor: int) -> list[Chunk]:
        """A block sequence's items.

        Raises:
            NotEditable: something stands before its first dash.
        """
        heads: list[tuple[int, int, YamlNode]] = []
        dash = node.start
        for item in node.items:
            if self._text[dash : dash + 1] != "-":
                raise NotEditable
            heads.append((dash, dash + 1, item))
            dash = self.after_filling(self.end(item, dash + 1))
        return self._chunks(node.start, heads, floor, lambda index: index)

    def _chunks(
        self,
        first: int,
        heads: list[tuple[int, int, YamlNode]],
        floor: int,
        indicator_end: Callable[[int], int | None],
    ) -> list[Chunk]:
        chunks: list[Chunk] = []
        column = self.column(first)
        before = self._lead_start(first, floor)
        for start, end, node in heads:
            head = found = self.after_filling(before)
            if found != start and self._text[found : found + 1] == "?":
                found = self.after_filling(found + 1)  # `? key`, its colon on the next line
            if found != start:
                raise NotEditable
            value_floor = indicator_end(end)
            if value_floor is None:
                raise NotEditable
            value_start, value_end = self.region(node, value_floor)
            tail_end = self._tail_end(value_end, column)
            chunks.append(
                Chunk(
                    lead=self._text[before:head],
                    head=self._text[head:end],
                    indicator=self._text[end:value_floor],
                    gap=self._text[end:value_start],
                    node=node,
                    floor=value_floor,
                    tail=self._text[value_end:tail_end],
                )
            )
            before = tail_end
        return chunks

    def _end(self, node: YamlNode, floor: int) -> int:
        match node:
            case YamlScalar(style="|" | ">"):
                text = self._text[node.start : node.end]
                header = text.partition("\n")[0]
                if "+" in header:  # Blank lines below belong to it.
                    return node.end - text.endswith("\n")
                return node.start + len(_BLANK_END.sub("", text))
            case YamlScalar() if node.start == node.end:
                return floor
            case YamlMapping(flow=False) if node.entries:
                key, value = node.entries[-1]
                value_floor = self.after_colon(key.end) or key.end
                return self._tail_end(self.end(value, value_floor), self.column(node.start))
            case YamlSequence(flow=False) if node.items:
                dash = node.start
                for item in node.items[:-1]:
                    dash = self.after_filling(self.end(item, dash + 1))
                end = self.end(node.items[-1], dash + 1)
                return self._tail_end(end, self.column(node.start))
            case YamlMapping(flow=True) if node.entries and node.entries[0][0].start == node.start:
                key, value = node.entries[-1]  # A pair in a list: [key: value]
                return self.end(value, self.after_colon(key.end) or key.end)
            case YamlMapping() | YamlSequence() | YamlScalar() | YamlAlias():
                return node.end

    def _lead_start(self, head: int, floor: int) -> int:
        """Where the comments right above a head begin, with the newline before them."""
        start = self._line_start(head)
        if start <= floor:
            return head
        newline = start - 1
        while (above := self._line_start(newline)) > floor:
            if not self._text[above:newline].lstrip().startswith("#"):
                break
            newline = above - 1
        return newline

    def _tail_end(self, end: int, column: int) -> int:
        """Past the rest of the line, and past comments below that are indented deeper."""
        tail = self._line_end(end)
        at = tail
        while at < len(self._text):
            line_end = self._line_end(at + 1)
            line = self._text[at + 1 : line_end]
            words = line.lstrip(" ")
            if words.startswith("#") and len(line) - len(words) > column:
                tail = line_end
            elif words.strip():
                break
            at = line_end
        return tail

    def _line_start(self, index: int) -> int:
        return self._text.rfind("\n", 0, index) + 1

    def _line_end(self, index: int) -> int:
        found = self._text.find("\n", index)
        return len(self._text) if found < 0 else found
