"""The scopes inside a cell: which names a function, class or comprehension keeps to itself."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(slots=True)
class Scope:
    """One open scope.

    Args:
        kind: A class is not seen by the functions inside it.
        names: What it holds; a class's grow as its body runs.
        global_names: What it declared `global`: those are the cell's.
    """

    kind: Literal["function", "class", "comprehension"]
    names: set[str] = field(default_factory=set[str])
    global_names: set[str] = field(default_factory=set[str])


def function_scope(arguments: ast.arguments, body: Sequence[ast.AST]) -> Scope:
    """The scope of a function: a name bound anywhere in its body is local in all of it."""
    names = {node.arg for node in ast.walk(arguments) if isinstance(node, ast.arg)}
    global_names: set[str] = set()
    outer: set[str] = set()
    for node in _own_nodes(body):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names.add(name)
            case ast.Import() | ast.ImportFrom():
                names.update(a.asname or a.name.partition(".")[0] for a in node.names)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                names.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.add(name)
            case ast.MatchMapping(rest=str(name)):
                names.add(name)
            case ast.Global():
                global_names.update(node.names)
            case ast.Nonlocal():
                outer.update(node.names)
            case _:
                pass
    return Scope("function", names - global_names - outer, global_names)


def _own_nodes(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a body, without what stands in scopes inside it."""
    for node in body:
        yield node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Lambda():
                continue
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                yield from (
                    n.target for n in ast.walk(node) if isinstance(n, ast.NamedExpr)
                )  # `:=` lands outside
            case _:
                yield from _own_nodes(list(ast.iter_child_nodes(node)))
