"""The GraphQL queries that Dagster's own pages send, read out of the installed webserver."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import dagster_webserver
from graphql import ExecutableDefinitionNode, FragmentSpreadNode, Visitor, parse, print_ast, visit

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAGES = Path(dagster_webserver.__file__).parent / "webapp" / "build" / "_next" / "static"
_TEXTS = re.compile(
    r"""("\\n\s*(?:query|fragment)\s(?:[^"\\]|\\.)*"|'\\n\s*(?:query|fragment)\s(?:[^'\\]|\\.)*')"""
)


def query(name: str) -> str:
    """A query by its name, with every fragment that it needs."""
    known = _definitions()
    needed: dict[str, ExecutableDefinitionNode] = {}
    asked = [name]
    while asked:
        one = asked.pop()
        if one not in needed:
            needed[one] = known[one]
            asked += _spread(known[one])
    return "\n".join(print_ast(definition) for definition in needed.values())


@cache
def _definitions() -> Mapping[str, ExecutableDefinitionNode]:
    """Queries and fragments by name, as the pages' scripts have them."""
    found: dict[str, ExecutableDefinitionNode] = {}
    for script in sorted(_PAGES.rglob("*.js")):
        for text in _TEXTS.findall(script.read_text()):
            for definition in parse(ast.literal_eval(text), no_location=True).definitions:
                assert isinstance(definition, ExecutableDefinitionNode)
                assert definition.name
                found[definition.name.value] = definition
    return found


def _spread(definition: ExecutableDefinitionNode) -> list[str]:
    names: list[str] = []

    class Spreads(Visitor):
        def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
            names.append(node.name.value)

    visit(definition, Spreads())
    return names
