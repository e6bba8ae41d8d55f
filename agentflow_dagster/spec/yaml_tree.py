"""YAML 1.2 text as a tree whose nodes know their place, so that it can be read and edited.

Built from ruamel's events, so that depth, tags and aliases are judged before anything is made of
them. Scalars keep their text; `core_value` says what a plain one means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from agentflow_dagster.spec.diagnostics import Diagnostic, Position, error

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_VALUES = 500_000
MAX_DEPTH = 64

CORE = "tag:yaml.org,2002:"
_TAGS = {
    "scalar": frozenset(
        {"", "!", *(CORE + name for name in ("str", "null", "bool", "int", "float"))}
    ),
    "mapping": frozenset({"", "!", CORE + "map"}),
    "sequence": frozenset({"", "!", CORE + "seq"}),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_BARE_EXPRESSION = re.compile(r"(^|[:,\[-]\s+)\{\{")


@dataclass(frozen=True, slots=True)
class YamlScalar:
    """A text. `style` is "" for a plain one, else one of `'`, `"`, `|`, `>`."""

    start: int
    end: int
    position: Position
    text: str
    style: str
    tag: str


@dataclass(frozen=True, slots=True)
class YamlMapping:
    """Keys and values in the order of the text."""

    start: int
    end: int
    position: Position
    entries: tuple[tuple[YamlNode, YamlNode], ...]
    flow: bool


@dataclass(frozen=True, slots=True)
class YamlSequence:
    """Items in the order of the text."""

    start: int
    end: int
    position: Position
    items: tuple[YamlNode, ...]
    flow: bool


@dataclass(frozen=True, slots=True)
class YamlAlias:
    """`*name`: the node that `&name` marks, written again."""

    start: int
    end: int
    position: Position
    target: YamlNode


YamlNode: TypeAlias = "YamlScalar | YamlMapping | YamlSequence | YamlAlias"


class YamlRefused(Exception):
    """A text that is not taken; the diagnostic says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def compose(text: str) -> YamlNode | None:
    """The tree of the one document in a text; None where the text is empty.

    Raises:
        YamlRefused: it is not YAML, or goes past a limit.
    """
    from ruamel.yaml.error import YAMLError

    builder = _Builder()
    try:
        for event in _events(text):
            builder.take(event)
    except YAMLError as problem:
        raise YamlRefused(_unreadable(problem, text)) from None
    return builder.root


def core_value(text: str) -> None | bool | int | float | str:
    """What a plain scalar means in YAML's core schema (1.2, chapter 10.3).

    Raises:
        ValueError: a number that JSON cannot hold.
    """
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text in {"true", "True", "TRUE"}:
        return True
    if text in {"false", "False", "FALSE"}:
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return int(text, 0)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in {float("inf"), float("-inf")}:
            raise ValueError(text)
        return number
    return text


def refuse(code: str, message: str, at: Position, *, hint: str = "") -> YamlRefused:
    """The exception for a problem at a place."""
    return YamlRefused(error(code, message, hint=hint).at("", at))


class _Builder:
    """Puts the events together."""

    def __init__(self) -> None:
        self.root: YamlNode | None = None
        self._open: list[tuple[Any, list[YamlNode]]] = []
        self._anchors: dict[str, YamlNode] = {}
        self._values = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        at = _position(event)
        match type(event).__name__:
            case "DocumentStartEvent":
                self._documents += 1
                if self._documents > 1:
                    raise refuse("AF102", "The file holds several documents.", at, hint=_ONE)
            case "MappingStartEvent" | "SequenceStartEvent":
                if len(self._open) >= MAX_DEPTH:
                    raise refuse("AF104", f"Nested more than {MAX_DEPTH} deep.", at)
                self._open.append((event, []))
            case "MappingEndEvent" | "SequenceEndEvent":
                start, nodes = self._open.pop()
                self._add(_collection(start, event.end_mark.index, nodes), start)
            case "ScalarEvent":
                self._add(_scalar(event, at), event)
            case "AliasEvent":
                self._add(self._alias(event, at), None)
            case _:
                pass

    def _alias(self, event: Any, at: Position) -> YamlAlias:
        name = str(event.anchor)
        if name not in self._anchors:
            raise refuse("AF102", f"There is no `&{name}` before `*{name}`.", at)
        return YamlAlias(event.start_mark.index, event.end_mark.index, at, self._anchors[name])

    def _add(self, node: YamlNode, event: Any) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise refuse("AF103", f"More than {MAX_VALUES:,} values.", node.position)
        if event is not None and event.anchor:
            self._anchors[str(event.anchor)] = node
        if self._open:
            self._open[-1][1].append(node)
        else:
            self.root = node


def _scalar(event: Any, at: Position) -> YamlScalar:
    tag = _checked_tag(event, "scalar", at)
    style = str(event.style or "")
    return YamlScalar(
        event.start_mark.index, event.end_mark.index, at, str(event.value), style, tag
    )


def _collection(event: Any, end: int, nodes: list[YamlNode]) -> YamlNode:
    at, start, flow = _position(event), int(event.start_mark.index), bool(event.flow_style)
    if type(event).__name__ == "SequenceStartEvent":
        _checked_tag(event, "sequence", at)
        return YamlSequence(start, end, at, tuple(nodes), flow)
    _checked_tag(event, "mapping", at)
    pairs = zip(nodes[::2], nodes[1::2], strict=True)
    return YamlMapping(start, end, at, tuple(pairs), flow)


def _checked_tag(event: Any, kind: str, at: Position) -> str:
    tag = str(event.tag or "")
    if tag not in _TAGS[kind]:
        shown = tag.replace(CORE, "!!", 1)
        raise refuse("AF108", f"The tag {shown!r} is not allowed.", at, hint="Take it out.")
    return tag


def _position(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)


def _events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    parsed: Any = yaml.parse(StringIO(text))  # pyright: ignore[reportUnknownMemberType]
    return cast("Iterator[Any]", parsed)


_ONE = "Keep one agent in a file."
_HINTS = {
    "'\\t'": "Indent with spaces.",
    "mapping values are not allowed": 'Quote a text that holds ": ".',
    "cannot start any token": "Quote a text that begins with this character.",
}


def _unreadable(problem: Any, text: str) -> Diagnostic:
    """An error of ruamel's as a diagnostic, with its place."""
    from ruamel.yaml.reader import ReaderError

    if isinstance(problem, ReaderError):
        index = int(cast("Any", problem).position)
        before = text[:index]
        at = Position(before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)
        character = ord(text[index]) if index < len(text) else 0
        return error("AF102", f"Not YAML: the character U+{character:04X}.").at("", at)
    mark = problem.problem_mark or problem.context_mark
    said = str(problem.problem or problem.context or "it cannot be read").strip().rstrip(".")
    if mark is None:
        return error("AF102", f"Not YAML: {said}.")
    at = Position(mark.line + 1, mark.column + 1)
    hint = next((told for sign, told in _HINTS.items() if sign in said), "")
    line = text.split("\n")[mark.line : mark.line + 1]
    if line and _BARE_EXPRESSION.search(line[0]):
        hint = QUOTE_EXPRESSION
    return error("AF102", f"Not YAML: {said}.", hint=hint).at("", at)


QUOTE_EXPRESSION = 'Quote a value that begins with {{: "{{ … }}".'
