"""Statements that set and delete names, attributes and items."""

from __future__ import annotations

import ast

from agentflow_dagster.notebook.flow.arguments import Arguments
from agentflow_dagster.notebook.flow.definitions import Definitions
from agentflow_dagster.notebook.flow.items import BY_PLACE
from agentflow_dagster.notebook.flow.methods import ROWS
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    SCALAR,
    Frame,
    Instance,
    Obj,
    Value,
)

_NONE: Value = frozenset()


class Assignments(Definitions):
    """Runs `=`, `+=` and `del`."""

    def visit_Assign(self, node: ast.Assign, frame: Frame) -> None:
        value = self.evaluate(node.value, frame)
        for target in node.targets:
            self.assign_to(target, value, frame)

    def visit_AnnAssign(self, node: ast.AnnAssign, frame: Frame) -> None:
        if not self.stack:
            self.evaluate(node.annotation, frame)
        if node.value is not None:
            self.assign_to(node.target, self.evaluate(node.value, frame), frame)

    def visit_AugAssign(self, node: ast.AugAssign, frame: Frame) -> None:
        before = ast.copy_location(_as_read(node.target), node.target)
        value = self.evaluate(before, frame)
        given = self.evaluate(node.value, frame)
        self.note(node)
        self.assign_to(node.target, self.in_place(value, given, node), frame)

    def assign_to(self, target: ast.expr, value: Value, frame: Frame) -> None:
        self.note(target)
        match target:
            case ast.Name():
                self.assign(target.id, value, frame, target)
            case ast.Tuple() | ast.List():
                self._unpack(target, value, frame)
            case ast.Starred():
                held = self.fresh("list", target, holds=self.elements(value, target))
                self.assign_to(target.value, held, frame)
            case ast.Attribute():
                holder = self.evaluate(target.value, frame)
                self._set(holder, target.attr, value)
            case ast.Subscript():
                self._set_item(target, value, frame)
            case _:
                pass

    def _unpack(self, target: ast.Tuple | ast.List, value: Value, frame: Frame) -> None:
        known = all(o.kind in {"tuple", "list"} and ALL not in o.fields for o in value)
        if not known or any(isinstance(part, ast.Starred) for part in target.elts):
            value = self.elements(value, target)
            for part in target.elts:
                if isinstance(part, ast.Starred):
                    self.assign_to(part.value, self.fresh("list", part, holds=value), frame)
                else:
                    self.assign_to(part, value, frame)
            return
        for index, part in enumerate(target.elts):
            found = _NONE
            for obj in value:
                found |= self.load(obj, index)
            self.assign_to(part, found or SCALAR, frame)

    def _set(self, holder: Value, name: str, value: Value) -> None:
        for obj in holder:
            if isinstance(obj, Instance) and obj.type is not None:
                given = Arguments((frozenset({obj}), value))
                for setter in self.lookup_class(obj.type, f"{name}.setter"):
                    self.call(frozenset({setter}), given, self.place)
                if not any(getattr(each, "name", "") == "__setattr__" for each in self.stack):
                    self.dunder(obj, ("__setattr__",), self.place)
        tables = frozenset(obj for obj in holder if obj.kind == "frame" and name in ROWS)
        for obj in tables:
            self.write(obj, ALL)
        self.store(holder - tables, name, value)

    def _set_item(self, target: ast.Subscript, value: Value, frame: Frame) -> None:
        holder = target.value
        by_place = isinstance(holder, ast.Attribute) and holder.attr in BY_PLACE
        objects = self.evaluate(
            holder.value if isinstance(holder, ast.Attribute) and by_place else holder, frame
        )
        index = self.evaluate(target.slice, frame)
        keys = (self._column(target, frame),) if by_place else self.keys(index)
        for obj in objects:
            if obj.kind == "namespace":
                for key in keys:
                    self.set_global(key, value)
            elif (self.dunder(obj, ("__setitem__",), target)) is None:
                self._set_in(obj, keys, value, target)

    def _set_in(
        self, obj: Obj, keys: tuple[object, ...], value: Value, target: ast.Subscript
    ) -> None:
        if isinstance(target.slice, ast.Slice) and obj.kind in {"list", "object"}:
            held = self.elements(value, target)
            self.put(obj, ALL, held)
            if obj.kind == "list" and target.slice.lower is target.slice.upper is None:
                self.write_over(obj)
            else:
                self.write(obj, ALL)
            return
        for key in keys:
            if key is ALL:
                self.put(obj, ALL, value)
                self.write(obj, self.item_key(obj, key))
            else:
                self.store(frozenset({obj}), key, value)

    def visit_Delete(self, node: ast.Delete, frame: Frame) -> None:
        for target in node.targets:
            match target:
                case ast.Name():
                    self.note(target)
                    self.remove(target.id, frame)
                case ast.Attribute():
                    self.store(self.evaluate(target.value, frame), target.attr, SCALAR)
                case ast.Subscript():
                    objects = self.evaluate(target.value, frame)
                    keys = self.keys(self.evaluate(target.slice, frame))
                    for obj in objects:
                        if obj.kind == "namespace":
                            self._remove_global(keys)
                        elif self.dunder(obj, ("__delitem__",), target) is None:
                            for key in keys if obj.kind in {"dict", "frame"} else (ALL,):
                                self.write(obj, key)
                case _:
                    pass

    def _remove_global(self, keys: tuple[object, ...]) -> None:
        for key in keys:
            if isinstance(key, str):
                self.remove(key, self.outer)
            else:
                self.blind("globals")


def _as_read(target: ast.expr) -> ast.expr:
    """The target of `+=` as what it was before."""
    match target:
        case ast.Name():
            return ast.Name(target.id, ast.Load())
        case ast.Attribute():
            return ast.Attribute(target.value, target.attr, ast.Load())
        case ast.Subscript():
            return ast.Subscript(target.value, target.slice, ast.Load())
        case _:
            return target
