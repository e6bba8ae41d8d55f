"""Edits `{a: 1}` and `[a, b]` in place: elements that stay keep what stands before them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.spec.alignment import paired
from agentflow_dagster.spec.canonical import order_counts
from agentflow_dagster.spec.yaml_places import NotEditable
from agentflow_dagster.spec.yaml_reader import key_text, node_value
from agentflow_dagster.spec.yaml_tree import YamlMapping, YamlNode, YamlScalar, YamlSequence

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue
    from agentflow_dagster.spec.yaml_edit import Editor

Path = tuple[str | int, ...]

_OPENING = re.compile(r"(?:[&!]\S*\s+)*([\[{])")
_BETWEEN = re.compile(r"(?:[\s,]|#[^\n]*\n)*")


@dataclass(frozen=True, slots=True)
class _Element:
    """One element: what separates it from the one before, its key and colon, and its value."""

    gap: str
    head: str
    node: YamlNode
    floor: int


def mapping(editor: Editor, node: YamlMapping, wanted: JsonObject, path: Path) -> str:
    """The mapping with the fields that are wanted, new ones last.

    Raises:
        NotEditable: it is written in a way that is not understood here.
    """
    heads: list[tuple[int, int, YamlNode]] = []
    for key, value in node.entries:
        if not isinstance(key, YamlScalar):
            raise NotEditable
        heads.append((key.start, editor.places.after_colon(key.end) or key.end, value))
    opening, elements, rest = _cut(editor, node, heads, "{")
    known = {key_text(key): index for index, (key, _) in enumerate(node.entries)}
    order = [*(k for k in known if k in wanted), *(k for k in wanted if k not in known)]
    bodies: list[tuple[int | None, str]] = []
    for key in list(wanted) if order_counts(path) else order:
        index = known.get(key)
        if index is None:
            bodies.append((None, editor.flow_entry(key, wanted[key])))
            continue
        head = elements[index].head
        value = _value(editor, elements[index], wanted[key], (*path, key))
        if not head.endswith(":"):  # A key alone, whose value is null.
            value = f": {value}" if value else ""
        bodies.append((index, head + value))
    return opening + _joined(elements, bodies) + rest + "}"


def sequence(editor: Editor, node: YamlSequence, wanted: list[JsonValue], path: Path) -> str:
    """The list with the items that are wanted.

    Raises:
        NotEditable: it is written in a way that is not understood here.
    """
    heads = [(n.start, n.start, n) for n in node.items]
    opening, elements, rest = _cut(editor, node, heads, "[")
    bodies: list[tuple[int | None, str]] = []
    for old, new in paired([node_value(n) for n in node.items], wanted):
        if new is not None and old is not None:
            bodies.append((old, _value(editor, elements[old], wanted[new], (*path, new))))
        elif new is not None:
            bodies.append((None, editor.flow(wanted[new])))
    return opening + _joined(elements, bodies) + rest + "]"


def _cut(
    editor: Editor,
    node: YamlMapping | YamlSequence,
    heads: list[tuple[int, int, YamlNode]],
    bracket: str,
) -> tuple[str, list[_Element], str]:
    """The bracket with an anchor before it, the elements, and what stands behind the last."""
    opening = _OPENING.match(editor.text, node.start)
    if opening is None or opening[1] != bracket or not heads:
        raise NotEditable
    elements: list[_Element] = []
    before = opening.end()
    for start, floor, value in heads:
        gap = editor.text[before:start]
        elements.append(_Element(gap, editor.text[start:floor], value, floor))
        before = editor.places.region(value, floor)[1]
    rest = editor.text[before : node.end - 1]
    if not all(_BETWEEN.fullmatch(gap) for gap in (*(e.gap for e in elements), rest)):
        raise NotEditable
    return opening[0], elements, rest


def _value(editor: Editor, element: _Element, wanted: JsonValue, path: Path) -> str:
    """A value with the space before it."""
    start, _ = editor.places.region(element.node, element.floor)
    space = editor.text[element.floor : start]
    text = editor.rewritten(element.node, wanted, path, element.floor)
    if text is None:
        text = editor.flow(wanted, like=element.node)
        space = space or (" " if element.head else "")
    return space + text


def _joined(elements: list[_Element], bodies: list[tuple[int | None, str]]) -> str:
    """The new elements one behind the other; `index` is where each comes from."""
    opening = elements[0].gap
    space = opening if "\n" in opening else " "
    separator = elements[1].gap if len(elements) > 1 else f",{space}"
    separator = re.sub(r"#[^\n]*", "", separator)
    texts: list[str] = []
    for place, (index, body) in enumerate(bodies):
        if place == 0:
            texts.append(opening + body)
        else:
            texts.append((elements[index].gap if index else separator) + body)
    return "".join(texts)
