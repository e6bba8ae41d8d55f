"""What operators give."""

from __future__ import annotations

import ast

from agentflow_dagster.notebook.flow.core import Core
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    ITEMS,
    SCALAR,
    SIZE,
    Frame,
    Obj,
    Value,
)
from agentflow_dagster.notebook.flow.operators import BINARY, IN_PLACE, ORDER

_NONE: Value = frozenset()
_HOLDERS = frozenset({"list", "tuple", "set", "dict"})


class Operations(Core):
    """Evaluates operators."""

    def visit_BinOp(self, node: ast.BinOp, frame: Frame) -> Value:
        left, right = self.evaluate(node.left, frame), self.evaluate(node.right, frame)
        return self.combine(left, right, BINARY[type(node.op)], node)

    def combine(self, left: Value, right: Value, names: tuple[str, ...], node: ast.AST) -> Value:
        """`left + right` and its like."""
        found = _NONE
        for obj in left | right:
            if obj.kind in _HOLDERS:
                result = self.make(obj.kind, node)
                self.copy_items(frozenset({obj}), result)
                if obj.kind != "dict":
                    self.put(result, ALL, frozenset(c for h in obj.fields.values() for c in h))
                found |= {result}
            elif obj.kind in {"array", "frame"}:
                self.touch(obj, ALL)
                found |= {self.make(obj.kind, node, is_open=True)}
            elif (given := self.dunder(obj, names, node)) is not None:
                found |= given
            elif obj.kind != "scalar":
                self.look_into(frozenset({obj}), node, consume=False)
                found |= {self.make("object", node, is_open=True)}
        return found or SCALAR

    def in_place(self, value: Value, given: Value, node: ast.AugAssign) -> Value:
        """`value += given`, by which some objects change and others are made anew."""
        names = IN_PLACE[type(node.op)]
        found = _NONE
        for obj in value:
            if obj.kind in {"list", "set", "dict", "array", "frame"}:
                if obj.kind in {"list", "set"}:
                    self.put(obj, ALL, self.elements(given, node))
                elif obj.kind == "dict":
                    self.copy_items(given, obj)
                self.look_into(given, node)
                self.write(obj, ITEMS if obj.kind in {"array", "frame"} else ALL)
                found |= {obj}
            elif (changed := self.dunder(obj, names[:1], node)) is not None:
                found |= changed
            else:
                found |= self.combine(frozenset({obj}), given, names[1:], node)
        return found

    def visit_UnaryOp(self, node: ast.UnaryOp, frame: Frame) -> Value:
        value = self.evaluate(node.operand, frame)
        if isinstance(node.op, ast.Not):
            self.ask_truth(value, node)
            return SCALAR
        if any(obj.constant is not None for obj in value):
            return SCALAR
        return self.combine(value, SCALAR, ("__neg__", "__pos__", "__invert__"), node)

    def visit_BoolOp(self, node: ast.BoolOp, frame: Frame) -> Value:
        found = _NONE
        for part in node.values[:-1]:
            value = self.evaluate(part, frame)
            self.ask_truth(value, node)
            found |= value
        before = self.state(frame)
        found |= self.evaluate(node.values[-1], frame)
        self.join([before, self.state(frame)], frame)
        return found

    def ask_truth(self, value: Value, node: ast.AST) -> None:
        """`if value`."""
        for obj in value:
            if self.dunder(obj, ("__bool__", "__len__"), node) is None and obj.kind != "scalar":
                self.touch(obj, SIZE if obj.kind in _HOLDERS else ALL)

    def visit_Compare(self, node: ast.Compare, frame: Frame) -> Value:
        values = [self.evaluate(part, frame) for part in (node.left, *node.comparators)]
        result = SCALAR
        for index, operator in enumerate(node.ops):
            left, right = values[index], values[index + 1]
            if isinstance(operator, ast.Is | ast.IsNot):
                continue
            if isinstance(operator, ast.In | ast.NotIn):
                self._contains(left, right, node)
                continue
            for obj in left | right:
                self.dunder(obj, ORDER, node)
                self.look_into(frozenset({obj}), node, consume=False)
                if obj.kind in {"array", "frame"}:
                    result = frozenset({self.make("array", node, is_open=True)})
        return result

    def _contains(self, left: Value, right: Value, node: ast.AST) -> None:
        keys = self.keys(left)
        for obj in right:
            if self.dunder(obj, ("__contains__", "__iter__"), node) is not None:
                continue
            if obj.kind in {"dict", "frame"}:
                for key in keys:
                    self.touch(obj, SIZE if key is ALL else key)
            elif obj.kind == "namespace":
                self.of_namespace(keys)
            else:
                self.elements(frozenset({obj}), node)

    def visit_IfExp(self, node: ast.IfExp, frame: Frame) -> Value:
        self.ask_truth(self.evaluate(node.test, frame), node)
        before = self.state(frame)
        found = self.evaluate(node.body, frame)
        after = self.state(frame)
        self.go_back(before, frame)
        found |= self.evaluate(node.orelse, frame)
        self.join([after, self.state(frame)], frame)
        return found

    def copy_items(self, value: Value, target: Obj) -> None:
        """What an object holds, another one holds too."""
        for obj in value:
            if obj.kind in {"scalar", "member", "namespace"}:
                if obj.kind == "namespace":
                    self.blind("globals")
                continue
            if obj.is_open:
                self.put(target, ALL, self.load(obj, ALL))
                continue
            self.touch(obj, ALL)
            for key, held in list(obj.fields.items()):
                for child in held:
                    self.follow(obj, child)
                self.put(target, key, frozenset(held))
