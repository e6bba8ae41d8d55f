"""The names of a notebook in the expressions of its cells: `{{total}}` beside `{{input.total}}`.

An expression may say what documents say (`{{check.output.total}}`), or name a variable of the
notebook, as Python would. In the document both are the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.graph import expressions
from agentflow_dagster.spec import template
from agentflow_dagster.spec.diagnostics import Diagnostic, pointer
from agentflow_dagster.spec.kind import VALUED_PORTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from agentflow_dagster.graph.cel_syntax import Read
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject, JsonValue

_SCOPE = frozenset({"input", "event", "env", "secret", "run", "item", "index", "state"})
_CODE = frozenset({"code"})
_OF_NODES = frozenset({"output", *VALUED_PORTS})


@dataclass(frozen=True, slots=True)
class Mention:
    """A name in an expression.

    Args:
        name: A variable of the notebook, or a node where `path` says what of it.
        path: Empty for a variable; else as documents write it: `("output", "total")`.
        place: The JSON pointer of the text that it stands in.
    """

    name: str
    path: tuple[str, ...]
    place: str

    @property
    def is_variable(self) -> bool:
        """Whether it names a variable, rather than a node."""
        return not self.path


def mentions(value: JsonValue, nodes: Collection[str], kinds: Catalogue) -> list[Mention]:
    """What the expressions below a value name, what bodies in it know by themselves left out.

    Args:
        value: A node, or outputs.
        nodes: The names of the notebook's nodes.
        kinds: Every node kind known here: they say which fields are programs of their own.
    """
    return list(_Walk(frozenset(nodes), kinds).found(value, (), _SCOPE))


def renamed(
    value: JsonValue, nodes: Collection[str], kinds: Catalogue, meant: Mapping[str, str]
) -> JsonValue:
    """The value with its variables written as documents do.

    Args:
        value: A node.
        nodes: The names of the notebook's nodes.
        kinds: Every node kind known here.
        meant: What each variable is in a document: `input.total`.
    """
    return _Walk(frozenset(nodes), kinds).renamed(value, _SCOPE, meant)


class _Walk:
    """Goes through the texts with expressions of nodes.

    Args:
        nodes: The names of the notebook's nodes.
        kinds: Every node kind known here.
    """

    def __init__(self, nodes: frozenset[str], kinds: Catalogue) -> None:
        self._nodes = nodes
        self._kinds = kinds

    def found(
        self, value: JsonValue, path: tuple[str | int, ...], known: frozenset[str]
    ) -> Iterator[Mention]:
        """What is named below a value, where some names are known already."""
        match value:
            case str() if template.has_expression(value):
                for _, read in _reads(value, known):
                    said = read.path if self._is_of_node(read) else ()
                    yield Mention(read.root, said, pointer(*path))
            case dict():
                known = _within(value, known)
                for key, inner in self._without_programs(value).items():
                    yield from self.found(inner, (*path, key), known)
            case list():
                for index, inner in enumerate(value):
                    yield from self.found(inner, (*path, index), known)
            case _:
                return

    def renamed(
        self, value: JsonValue, known: frozenset[str], meant: Mapping[str, str]
    ) -> JsonValue:
        """The value with names as `meant` has them."""
        match value:
            case str() if template.has_expression(value):
                for at, read in reversed(list(_reads(value, known))):
                    if read.root in meant and not self._is_of_node(read):
                        value = value[:at] + meant[read.root] + value[at + len(read.root) :]
                return value
            case dict():
                known = _within(value, known)
                plain = self._without_programs(value)
                told = {key: self.renamed(inner, known, meant) for key, inner in plain.items()}
                if plain is not value:
                    config, said = (cast("JsonObject", one["with"]) for one in (value, told))
                    told["with"] = {key: said.get(key, config[key]) for key in config}
                return told
            case list():
                return [self.renamed(inner, known, meant) for inner in value]
            case _:
                return value

    def _is_of_node(self, read: Read) -> bool:
        """Whether a read is of a node as documents write it, rather than of a variable."""
        return read.root in self._nodes and read.path[:1] != () and read.path[0] in _OF_NODES

    def _without_programs(self, value: JsonObject) -> JsonObject:
        """A mapping; of a node, without the fields of its config that are code, and have no
        expressions."""
        config, kind = value.get("with"), self._kinds.get(str(value.get("kind", "")))
        programs = kind.programs if kind else _CODE
        if not isinstance(config, dict) or not programs & config.keys():
            return value
        return {**value, "with": {k: v for k, v in config.items() if k not in programs}}


def _reads(text: str, known: frozenset[str]) -> Iterator[tuple[int, Read]]:
    """Each name that a text's expressions read, and where in the text; those known apart."""
    parsed = template.parse(text)
    if isinstance(parsed, Diagnostic):
        return
    for piece in parsed.expressions:
        for read in sorted(expressions.reads(piece.source), key=lambda r: r.offset):
            if read.root not in known and read.offset >= 0:
                yield piece.offset + read.offset, read


def _within(value: Mapping[str, JsonValue], known: frozenset[str]) -> frozenset[str]:
    """What is known inside a mapping: a body's own nodes, what a loop calls its item, and the
    arguments of a tool."""
    named = value.get("as")
    names = {named} if isinstance(named, str) else set[str]()
    if isinstance(value.get("nodes"), dict) and "description" in value:
        names.add("args")
    for inner in (value, *value.values()):
        nodes = cast("object", inner.get("nodes")) if isinstance(inner, dict) else None
        if isinstance(nodes, dict):
            names |= {str(name) for name in cast("Mapping[str, object]", nodes)}
    return known | names
