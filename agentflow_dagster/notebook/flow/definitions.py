"""Statements that define: functions, classes and imports."""

from __future__ import annotations

import ast

from agentflow_dagster.notebook._scopes import Scope
from agentflow_dagster.notebook.flow.arguments import Arguments
from agentflow_dagster.notebook.flow.calls import Calls
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    SCALAR,
    Class,
    Frame,
    Function,
    Member,
    Value,
)
from agentflow_dagster.notebook.flow.stars import public_names

_NONE: Value = frozenset()


class Definitions(Calls):
    """Runs `def`, `class` and `import`."""

    def visit_Import(self, node: ast.Import, frame: Frame) -> None:
        for name in node.names:
            path = name.name if name.asname else name.name.partition(".")[0]
            bound = name.asname or path
            self.assign(bound, self.world.member(path), frame, node)

    def visit_ImportFrom(self, node: ast.ImportFrom, frame: Frame) -> None:
        module = "." * node.level + (node.module or "")
        for name in node.names:
            if module == "__future__":
                continue
            if name.name != "*":
                found = self.world.member(f"{module}.{name.name}")
                self.assign(name.asname or name.name, found, frame, node)
                continue
            names = public_names(module)
            if names is None:
                self.blind(f"from {module} import *")
            for each in names or ():
                self.assign(each, self.world.member(f"{module}.{each}"), frame, node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        decorators = [self.evaluate(each, frame) for each in node.decorator_list]
        if not self.stack:
            for each in ast.walk(node.args):
                if isinstance(each, ast.arg) and each.annotation is not None:
                    self.evaluate(each.annotation, frame)
            if node.returns is not None:
                self.evaluate(node.returns, frame)
        function = self.function(node, frame)
        value: Value = frozenset({function})
        name = node.name
        for text, decorator in zip(node.decorator_list, decorators, strict=True):
            if isinstance(text, ast.Attribute) and text.attr in {"setter", "getter", "deleter"}:
                name = f"{node.name}.{text.attr}"
            self._mark(function, decorator)
        for decorator in reversed(decorators):
            value = self._decorated(decorator, value, node)
        self.note(node)
        self.assign(name, value, frame, node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def _mark(self, function: Function, decorator: Value) -> None:
        for each in decorator:
            if isinstance(each, Member):
                function.is_static |= each.name == "builtins.staticmethod"
                function.is_class_method |= each.name == "builtins.classmethod"
                function.is_property |= each.name in {
                    "builtins.property",
                    "functools.cached_property",
                }

    def _decorated(self, decorator: Value, value: Value, node: ast.AST) -> Value:
        """What a decorator of the notebook makes; one of a library gives back what it got."""
        found = _NONE
        for each in decorator:
            if each.kind in {"function", "method", "instance", "class"}:
                found |= self.call(frozenset({each}), Arguments((value,)), node)
            elif each.kind == "object":
                self.touch(each, ALL)
                self.put(each, ALL, value)
                self.write(each, ALL)
                found |= value
            else:
                found |= value
        return found or value

    def visit_ClassDef(self, node: ast.ClassDef, frame: Frame) -> None:
        decorators = [self.evaluate(each, frame) for each in node.decorator_list]
        cls = self.made(Class("class", self.cell, node=node), node)
        for base in node.bases:
            cls.bases |= self.evaluate(base, frame)
        for keyword in node.keywords:
            self.evaluate(keyword.value, frame)
        inner = Frame(Scope("class"), frame, {}, cls)
        self.run(node.body, inner)
        for name, value in inner.names.items():
            self.put(cls, name, value)
        cls.annotated = tuple(
            each.target.id
            for each in node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        )
        value: Value = frozenset({cls})
        for base in list(cls.bases):
            if isinstance(base, Class):
                for hook in self.lookup_class(base, "__init_subclass__"):
                    self.call(frozenset({hook}), Arguments((value,)), node)
        for decorator in reversed(decorators):
            value = self._decorated(decorator, value, node)
        self.note(node)
        self.assign(node.name, value, frame, node)

    def visit_TypeAlias(self, node: ast.stmt, frame: Frame) -> None:
        name = getattr(node, "name", None)  # from Python 3.12
        if isinstance(name, ast.Name):
            self.assign(name.id, SCALAR, frame, node)
