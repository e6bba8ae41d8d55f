"""How two agents differ by what they mean: key order, layout and defaults do not count.

A node that only has another name is told as renamed, and so are the references to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal, cast

from agentflow_dagster.spec.canonical import is_same, order_counts
from agentflow_dagster.spec.diagnostics import pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject, JsonValue

Path = tuple[str | int, ...]
_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a text: kept, taken out or put in."""

    change: Literal["same", "removed", "added"]
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Args:
        change: What happened there.
        path: Where, in the newer document (in the older one, if it is gone).
        before, after: What stood and stands there; None where nothing did or does. Of a renamed
            node, its names.
        words: A text's change word by word; () for what is no text.
    """

    change: Literal["added", "removed", "changed", "renamed"]
    path: Path
    before: JsonValue = None
    after: JsonValue = None
    words: tuple[Piece, ...] = ()

    def to_json(self) -> JsonObject:
        """The fields that `agentflow diff --json` prints."""
        told: JsonObject = {
            "change": self.change,
            "pointer": pointer(*self.path),
            "before": self.before,
            "after": self.after,
        }
        if self.words:
            told["words"] = [{"change": p.change, "text": p.text} for p in self.words]
        return told


def diff(old: Agent, new: Agent) -> tuple[Change, ...]:
    """Every difference, in the order of the newer document; () where both mean the same."""
    before, after = _meaning(old), _meaning(new)
    renamed = _renamed(_nodes(before), _nodes(after))
    if renamed:
        before = cast("JsonObject", _with_names(before, renamed))
        nodes = _nodes(before)
        cast("JsonObject", before["spec"])["nodes"] = {
            renamed.get(name, name): node for name, node in nodes.items()
        }
    told = [
        Change("renamed", ("spec", "nodes", to), before=name, after=to)
        for name, to in renamed.items()
    ]
    return (*told, *_changes(before, after, ()))


def words(before: str, after: str) -> tuple[Piece, ...]:
    """The change of a text, word by word."""
    one, other = _WORD.findall(before), _WORD.findall(after)
    pieces: list[Piece] = []
    for what, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if what == "equal":
            pieces.append(Piece("same", "".join(one[a:b])))
            continue
        pieces += [Piece("removed", "".join(one[a:b]))] if b > a else []
        pieces += [Piece("added", "".join(other[c:d]))] if d > c else []
    return tuple(pieces)


def _meaning(agent: Agent) -> JsonObject:
    dumped = agent.model_dump(mode="json", by_alias=True, exclude={"layout"}, exclude_defaults=True)
    return cast("JsonObject", dumped)


def _nodes(document: JsonObject) -> dict[str, JsonValue]:
    return cast("dict[str, JsonValue]", cast("JsonObject", document["spec"])["nodes"])


def _renamed(old: dict[str, JsonValue], new: dict[str, JsonValue]) -> dict[str, str]:
    """New names by old ones, of nodes that stayed the same but for theirs."""
    gone = {name: node for name, node in old.items() if name not in new}
    found: dict[str, str] = {}
    for name, node in new.items():
        if name in old:
            continue
        # A node's own references may have been renamed along with it.
        match = next(
            (
                one
                for one, other in gone.items()
                if one not in found and is_same(_with_names(other, {**found, one: name}), node)
            ),
            None,
        )
        if match is not None:
            found[match] = name
    return found


def _with_names(value: JsonValue, names: dict[str, str]) -> JsonValue:
    """With references to nodes by other names: in expressions, and where one is named outright."""
    match value:
        case str():
            return _EXPRESSION.sub(lambda found: _in_expression(found[0], names), value)
        case dict():
            return {k: _named(k, _with_names(v, names), names) for k, v in value.items()}
        case list():
            return [_with_names(inner, names) for inner in value]
        case _:
            return value


def _in_expression(text: str, names: dict[str, str]) -> str:
    def other(found: re.Match[str]) -> str:
        return names.get(found[0], found[0])

    return re.sub(r"(?<![\w.])[a-z]\w*(?=\.(?:output|error)\b)", other, text)


def _named(key: str, value: JsonValue, names: dict[str, str]) -> JsonValue:
    if key == "to" and isinstance(value, str):
        return names.get(value, value)
    if key in {"after", "from"} and isinstance(value, list):
        return [_port(one, names) if isinstance(one, str) else one for one in value]
    return value


def _port(text: str, names: dict[str, str]) -> str:
    node, dot, port = text.partition(".")
    return f"{names.get(node, node)}{dot}{port}"


def _changes(before: JsonValue, after: JsonValue, path: Path) -> Iterator[Change]:
    if is_same(before, after, path):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in after:
            if key not in before:
                yield Change("added", (*path, key), after=after[key])
            else:
                yield from _changes(before[key], after[key], (*path, key))
        for key in before:
            if key not in after:
                yield Change("removed", (*path, key), before=before[key])
        if order_counts(path) and before.keys() == after.keys() and list(before) != list(after):
            yield Change("changed", path, list(before), list(after))
        return
    if isinstance(before, str) and isinstance(after, str):
        yield Change("changed", path, before, after, words(before, after))
        return
    yield Change("changed", path, before, after)
