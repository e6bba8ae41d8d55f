"""What `holder[index]` gives."""

from __future__ import annotations

import ast

from agentflow_dagster.notebook.flow.objects import (
    ALL,
    ITEMS,
    SCALAR,
    Frame,
    Key,
    Member,
    Obj,
    Value,
)
from agentflow_dagster.notebook.flow.operations import Operations

_NONE: Value = frozenset()
BY_PLACE = frozenset({"loc", "iloc", "at", "iat"})


class Items(Operations):
    """Evaluates subscripts."""

    def visit_Subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        holder = node.value
        if isinstance(holder, ast.Attribute) and holder.attr in BY_PLACE:
            value = self.evaluate(holder.value, frame)
            if any(obj.kind == "frame" for obj in value):
                return self._rows(value, node, frame)
        value = self.evaluate(holder, frame)
        index = self.evaluate(node.slice, frame)
        keys = self.keys(index)
        found = _NONE
        for obj in value:
            found |= self._item(obj, keys, index, node)
        return found or SCALAR

    def _rows(self, value: Value, node: ast.Subscript, frame: Frame) -> Value:
        """`frame.loc[…]`: the column is known where it is written out."""
        self.look_into(self.evaluate(node.slice, frame), node)
        for obj in value:
            self.touch(obj, self._column(node, frame))
        return frozenset({self.make("frame", node, is_open=True)})

    def _column(self, node: ast.Subscript, frame: Frame) -> Key:
        index = node.slice
        by_name = isinstance(node.value, ast.Attribute) and node.value.attr in {"loc", "at"}
        if by_name and isinstance(index, ast.Tuple) and len(index.elts) == 2:
            keys = self.keys(self.evaluate(index.elts[1], frame))
            if len(keys) == 1:
                return keys[0]
        return ALL

    def _item(self, obj: Obj, keys: tuple[Key, ...], index: Value, node: ast.Subscript) -> Value:
        match obj.kind:
            case "scalar":
                return SCALAR
            case "frame":
                for key in self._columns(keys, index):
                    self.touch(obj, key)
                return frozenset({self.make("frame", node, is_open=True)})
            case "array":
                return self._part_of_array(obj, keys, index, node)
            case "namespace":
                return self.of_namespace(keys)
            case "member" if isinstance(obj, Member) and obj.name == "sys.modules":
                return frozenset({self.world.namespace})
            case "instance" | "class":
                given = self.dunder(obj, ("__getitem__", "__class_getitem__"), node)
                if given is not None:
                    return given
                held = self.load(obj, ALL)
                return held if obj.kind == "instance" else frozenset({obj})
            case _:
                return self._held(obj, keys, node)

    def _held(self, obj: Obj, keys: tuple[Key, ...], node: ast.Subscript) -> Value:
        if isinstance(node.slice, ast.Slice) and obj.kind != "dict":
            return self.fresh("list", node, tag="slice", holds=self.load(obj, ALL))
        found = _NONE
        for key in keys:
            found |= self.load(obj, key)
        return found

    def _part_of_array(
        self, obj: Obj, keys: tuple[Key, ...], index: Value, node: ast.Subscript
    ) -> Value:
        """A view, unless elements are picked one by one."""
        if _picks(node.slice) or any(each.kind in {"array", "list"} for each in index):
            self.touch(obj, ALL)
            return frozenset({self.make("array", node, is_open=True)})
        key = keys[0] if len(keys) == 1 and keys[0] is not ALL else ITEMS
        return self.view(obj, key, node)

    def _columns(self, keys: tuple[Key, ...], index: Value) -> tuple[Key, ...]:
        """`"a"` and `["a", "b"]` name columns; anything else may mean rows."""
        if keys[0] is not ALL:
            return keys
        found: list[Key] = []
        for obj in index:
            if obj.kind != "list":
                return (ALL,)
            for held in obj.fields.values():
                found += self.keys(frozenset(held))
        return tuple(found) or (ALL,)

    def visit_Slice(self, node: ast.Slice, frame: Frame) -> Value:
        for part in (node.lower, node.upper, node.step):
            self.evaluate(part, frame)
        return SCALAR


def _picks(index: ast.expr) -> bool:
    """Whether an index picks elements one by one, which copies them."""
    match index:
        case ast.List() | ast.Compare() | ast.ListComp():
            return True
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr()) | ast.UnaryOp(op=ast.Invert()):
            return True
        case ast.Tuple():
            return any(_picks(part) for part in index.elts)
        case _:
            return False
