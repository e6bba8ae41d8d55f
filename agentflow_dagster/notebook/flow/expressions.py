"""What expressions give, and what they ask for on the way."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from agentflow_dagster.notebook._scopes import Scope
from agentflow_dagster.notebook.flow.arguments import Arguments
from agentflow_dagster.notebook.flow.items import Items
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    SCALAR,
    Frame,
    Function,
    Kind,
    Lazy,
    Obj,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_NONE: Value = frozenset()


class Expressions(Items):
    """Evaluates expressions; one method for each kind."""

    def evaluate(self, node: ast.expr | None, frame: Frame) -> Value:
        if node is None:
            return SCALAR
        self.step()
        method: Callable[[ast.expr, Frame], Value] | None
        method = getattr(self, f"visit_{type(node).__name__}", None)
        if method is not None:
            return method(node, frame)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.look_into(self.evaluate(child, frame), node)
        return SCALAR

    def visit_Constant(self, node: ast.Constant, _frame: Frame) -> Value:
        if isinstance(node.value, str | int) and not isinstance(node.value, bool):
            return self.world.constant(node.value)
        return SCALAR

    def visit_Name(self, node: ast.Name, frame: Frame) -> Value:
        self.note(node)
        return self.look_up(node.id, frame)

    def visit_Attribute(self, node: ast.Attribute, frame: Frame) -> Value:
        value = self.evaluate(node.value, frame)
        found = _NONE
        for obj in value:
            found |= self.attribute(obj, node.attr, node)
        return found or SCALAR

    def attribute(self, obj: Obj, name: str, node: ast.AST) -> Value:
        """An attribute of an object of any kind."""
        raise NotImplementedError

    def visit_List(self, node: ast.List | ast.Tuple | ast.Set, frame: Frame) -> Value:
        kinds: dict[type[ast.expr], Kind] = {ast.List: "list", ast.Tuple: "tuple"}
        obj = self.make(kinds.get(type(node), "set"), node)
        known = obj.kind != "set"
        for index, part in enumerate(node.elts):
            if isinstance(part, ast.Starred):
                known = False
                self.put(obj, ALL, self.elements(self.evaluate(part.value, frame), part))
            else:
                self.put(obj, index if known else ALL, self.evaluate(part, frame))
        return frozenset({obj})

    visit_Tuple = visit_List
    visit_Set = visit_List

    def visit_Dict(self, node: ast.Dict, frame: Frame) -> Value:
        obj = self.make("dict", node)
        for key, part in zip(node.keys, node.values, strict=True):
            value = self.evaluate(part, frame)
            if key is None:
                self.copy_items(value, obj)
                continue
            named = self.evaluate(key, frame)
            for each in self.keys(named):
                self.put(obj, each, value)
        return frozenset({obj})

    def visit_Starred(self, node: ast.Starred, frame: Frame) -> Value:
        return self.evaluate(node.value, frame)

    def visit_JoinedStr(self, node: ast.JoinedStr, frame: Frame) -> Value:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.look_into(self.evaluate(part.value, frame), part, consume=False)
                if part.format_spec is not None:
                    self.evaluate(part.format_spec, frame)
        return SCALAR

    def visit_NamedExpr(self, node: ast.NamedExpr, frame: Frame) -> Value:
        value = self.evaluate(node.value, frame)
        self.assign(node.target.id, value, frame, node.target)
        return value

    def visit_Lambda(self, node: ast.Lambda, frame: Frame) -> Value:
        return frozenset({self.function(node, frame)})

    def function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, frame: Frame
    ) -> Function:
        """A function as its definition makes it; its defaults are evaluated now."""
        made = self.made(Function("function", self.cell, node=node), node)
        made.frame = None if frame.scope is None else frame
        arguments = node.args
        places = [*arguments.posonlyargs, *arguments.args]
        behind = places[len(places) - len(arguments.defaults) :]
        for parameter, default in (
            *zip(behind, arguments.defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ):
            if default is not None:
                made.defaults[parameter.arg] = self.evaluate(default, frame)
        return made

    def visit_ListComp(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, frame: Frame
    ) -> Value:
        names = {
            part.id
            for generator in node.generators
            for part in ast.walk(generator.target)
            if isinstance(part, ast.Name)
        }
        inner = Frame(Scope("comprehension", names), frame, {}, Obj("object", self.cell))
        first = self.evaluate(node.generators[0].iter, frame)
        if isinstance(node, ast.GeneratorExp):
            later = self.made(Lazy("iterator", self.cell, body=node), node)
            later.frame, later.over = inner, [first]
            return frozenset({later})
        kind: Kind = "list" if isinstance(node, ast.ListComp) else "set"
        obj = self.make("dict" if isinstance(node, ast.DictComp) else kind, node)
        self.fill(obj, node, first, inner)
        return frozenset({obj})

    visit_SetComp = visit_ListComp
    visit_DictComp = visit_ListComp
    visit_GeneratorExp = visit_ListComp

    def fill(
        self,
        obj: Obj,
        node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        first: Value,
        inner: Frame,
    ) -> None:
        """Runs a comprehension; what it gives goes into the object."""
        for index, generator in enumerate(node.generators):
            over = first if index == 0 else self.evaluate(generator.iter, inner)
            self.assign_to(generator.target, self.elements(over, generator.target), inner)
            for test in generator.ifs:
                self.ask_truth(self.evaluate(test, inner), test)
        if isinstance(node, ast.DictComp):
            keys = self.keys(self.evaluate(node.key, inner))
            value = self.evaluate(node.value, inner)
            for key in keys:
                self.put(obj, key, value)
        else:
            self.put(obj, ALL, self.evaluate(node.elt, inner))

    def assign_to(self, target: ast.expr, value: Value, frame: Frame) -> None:
        """Sets whatever stands on the left of `=`."""
        raise NotImplementedError

    def visit_Await(self, node: ast.Await, frame: Frame) -> Value:
        return self.evaluate(node.value, frame)

    def visit_Yield(self, node: ast.Yield | ast.YieldFrom, frame: Frame) -> Value:
        value = self.evaluate(node.value, frame)
        if isinstance(node, ast.YieldFrom):
            value = self.elements(value, node)
        while frame.scope is not None and frame.scope.kind == "comprehension" and frame.parent:
            frame = frame.parent
        frame.yields |= value
        return SCALAR

    visit_YieldFrom = visit_Yield

    def visit_Call(self, node: ast.Call, frame: Frame) -> Value:
        return self.call_node(node, frame, is_discarded=False)

    def call_node(self, node: ast.Call, frame: Frame, *, is_discarded: bool) -> Value:
        """A call as it is written."""
        function = node.func
        if isinstance(function, ast.Attribute):
            receiver = self.evaluate(function.value, frame)
            arguments = self._arguments(node, frame, is_discarded=is_discarded)
            self.note(node)
            found = _NONE
            for obj in receiver:
                found |= self.call_method(obj, function.attr, arguments, node)
            return found or SCALAR
        if isinstance(function, ast.Name) and function.id == "super" and not node.args:
            return self._super(frame)
        callee = self.evaluate(function, frame)
        arguments = self._arguments(node, frame, is_discarded=is_discarded)
        self.note(node)
        return self.call(callee, arguments, node)

    def _super(self, frame: Frame) -> Value:
        """`super()`: the object itself, as the class above it sees it."""
        while frame.parent is not None and not (frame.scope and frame.scope.kind == "function"):
            frame = frame.parent
        return next(iter(frame.names.values()), SCALAR)

    def _arguments(self, node: ast.Call, frame: Frame, *, is_discarded: bool) -> Arguments:
        given: list[Value] = []
        named: dict[str, Value] = {}
        spread = _NONE
        for part in node.args:
            value = self.evaluate(part, frame)
            if isinstance(part, ast.Starred):
                spread |= self.elements(value, part)
            else:
                given.append(value)
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, frame)
            if keyword.arg is not None:
                named[keyword.arg] = value
                continue
            for obj in value:
                if obj.kind == "namespace":
                    self.blind("globals")
                spread |= self.load(obj, ALL)
                if not obj.is_open:
                    for key, held in obj.fields.items():
                        if isinstance(key, str):
                            named[key] = named.get(key, _NONE) | frozenset(held)
        return Arguments(tuple(given), named, spread, is_discarded)
