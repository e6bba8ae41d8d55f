"""Reads off a cell's text which names it takes from elsewhere, makes, and changes in place.

Nothing is executed. Reads inside functions count as reads of the cell, since they happen when the
function is called. What goes through functions and other names for the same thing is seen by
`flow`, over all cells together.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING

from agentflow_dagster.notebook._ledger import Ledger, position
from agentflow_dagster.notebook._mutations import base_name, iterated_name, mutated_by_call
from agentflow_dagster.notebook._scopes import Scope, function_scope
from agentflow_dagster.notebook.names import CellNames, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BLIND = frozenset({"exec", "eval", "globals", "locals"})
"""Builtins that make or read names which the text does not show."""


@lru_cache(maxsize=1_000)
def analyse(source: str) -> CellNames:
    """What the statements do with names; of a text that has been seen it is known.

    Raises:
        SyntaxError: it is not Python.
    """
    visitor = _Visitor()
    visitor.visit(ast.parse(source))
    return visitor.names()


class _Visitor(ast.NodeVisitor):
    """Tells the ledger what each statement does; a loop counts as run at least once."""

    def __init__(self) -> None:
        self._ledger = Ledger()

    def names(self) -> CellNames:
        return self._ledger.names()

    def visit_Name(self, node: ast.Name) -> None:
        match node.ctx:
            case ast.Load():
                self._ledger.read(node.id, node)
            case ast.Store():
                self._ledger.bind(node.id, "value", node)
            case _:
                self._ledger.read(node.id, node)
                self._ledger.unbind(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._place(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._place(node)

    def _place(self, node: ast.Attribute | ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._ledger.mutate(base_name(node), node)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self._call(node.value, discarded=True)
        else:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        self._call(node, discarded=False)

    def _call(self, node: ast.Call, *, discarded: bool) -> None:
        self._ledger.mutate(mutated_by_call(node, discarded=discarded), node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _BLIND and not self._ledger.is_own(name):
            self._ledger.unknown.append(Unknown(name, position(node)))
        self.generic_visit(node)

    # Statements that bind

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            if isinstance(node.value, ast.Lambda) and isinstance(target, ast.Name):
                self._ledger.bind(target.id, "function", target)
            else:
                self.visit(target)
        if isinstance(node.value, ast.Name):
            origin = node.value.id
            self._ledger.alias([t for t in node.targets if isinstance(t, ast.Name)], origin)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self._ledger.read(node.target.id, node.target)
        self.visit(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if not self._ledger.in_function:
            self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            self._ledger.bind(name.asname or name.name.partition(".")[0], "import", node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for name in node.names:
            if name.name == "*":
                what = f"from {'.' * node.level}{node.module or ''} import *"
                self._ledger.unknown.append(Unknown(what, position(node)))
            elif node.module != "__future__":
                self._ledger.bind(name.asname or name.name, "import", node)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self._targets(item.optional_vars)
        self._run(node.body)

    def _targets(self, target: ast.expr) -> None:
        """Binds what a loop or `with` binds."""
        match target:
            case ast.Name(id=name):
                self._ledger.bind(name, "target", target)
            case ast.Tuple() | ast.List():
                for part in target.elts:
                    self._targets(part)
            case ast.Starred():
                self._targets(target.value)
            case _:
                self.visit(target)

    # Statements with paths

    def _paths(self, bodies: Iterable[Sequence[ast.AST]]) -> None:
        """Visits alternatives; certain afterwards is what all of them make that lead on."""
        before = self._ledger.certain
        after: list[set[str]] = []
        for body in bodies:
            self._ledger.certain = set(before)
            self._run(body)
            if not _leaves(body):
                after.append(self._ledger.certain)
        self._ledger.certain = after[0] if after else before
        for path in after[1:]:
            self._ledger.certain = self._ledger.certain & path

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._paths([node.body, node.orelse])

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._targets(node.target)
        self._ledger.alias([node.target], iterated_name(node.iter))
        self._run(node.body)
        self._run(node.orelse)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        self._paths([[*node.body, *node.orelse], *([h] for h in node.handlers)])
        self._run(node.finalbody)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        if node.name is not None:
            self._ledger.bind(node.name, "target", node)
        self._run(node.body)
        if node.name is not None:
            self._ledger.unbind(node.name)

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        last = node.cases[-1]
        catches_all = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
        complete = catches_all and last.guard is None
        cases: list[Sequence[ast.AST]] = [[case] for case in node.cases]
        self._paths(cases if complete else [*cases, []])

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self.generic_visit(node)
        if node.name is not None:
            self._ledger.bind(node.name, "target", node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest is not None:
            self._ledger.bind(node.rest, "target", node)

    # Scopes

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
        with self._ledger.scope(_type_parameters(node)):
            self._signature(node.args)
            if node.returns is not None:
                self.visit(node.returns)
        self._ledger.bind(node.name, "function", node)
        with self._ledger.scope(_type_parameters(node)):
            self._inside(function_scope(node.args, node.body), node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._signature(node.args)
        self._inside(function_scope(node.args, [node.body]), [node.body])

    def _signature(self, arguments: ast.arguments) -> None:
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default)
        for node in ast.walk(arguments):
            if isinstance(node, ast.arg) and node.annotation is not None:
                self.visit(node.annotation)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        with self._ledger.scope(_type_parameters(node)):
            self._run([*node.decorator_list, *node.bases, *node.keywords])
            self._inside(Scope("class"), node.body)
        self._ledger.bind(node.name, "class", node)

    def visit_TypeAlias(self, node: ast.AST) -> None:
        """`type Name = …`, from Python 3.12: its value is looked at when it is asked for."""
        name, value = (getattr(node, field) for field in ("name", "value"))
        self._ledger.bind(name.id, "class", node)
        with self._ledger.scope(_type_parameters(node)):
            self._inside(Scope("function"), [value])

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> None:
        first, *rest = node.generators
        self.visit(first.iter)
        names = {
            n.id
            for generator in node.generators
            for n in ast.walk(generator.target)
            if isinstance(n, ast.Name)
        }
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        inner = [*first.ifs, *(part for g in rest for part in (g.iter, *g.ifs)), *results]
        self._inside(Scope("comprehension", names), inner)

    visit_ListComp = visit_SetComp = _comprehension  # names that `ast` prescribes
    visit_GeneratorExp = visit_DictComp = _comprehension
    visit_AsyncFunctionDef = visit_FunctionDef
    visit_AsyncFor = visit_For
    visit_AsyncWith = visit_With
    visit_TryStar = visit_Try
    visit_MatchStar = visit_MatchAs

    def _run(self, body: Sequence[ast.AST]) -> None:
        for node in body:
            self.visit(node)

    def _inside(self, scope: Scope, body: Sequence[ast.AST]) -> None:
        with self._ledger.scope(scope):
            self._run(body)


def _leaves(body: Sequence[ast.AST]) -> bool:
    last = body[-1] if body else None
    if isinstance(last, ast.ExceptHandler | ast.match_case):
        return _leaves(last.body)
    return isinstance(last, ast.Raise | ast.Return | ast.Continue | ast.Break)


def _type_parameters(node: ast.AST) -> Scope:
    """The names in `def f[T]`, from Python 3.12."""
    return Scope("comprehension", {p.name for p in getattr(node, "type_params", [])})
