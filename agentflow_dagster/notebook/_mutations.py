"""Which expressions change a value in place, as far as their text tells."""

from __future__ import annotations

import ast

RETURNING = frozenset({"pop", "popleft", "popitem", "setdefault"})
"""Methods that change their object and give something back."""

SILENT = frozenset(
    {
        *("add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "fill"),
        *("insert", "move_to_end", "remove", "reverse", "rotate", "sort", "update"),
        *("difference_update", "intersection_update", "symmetric_difference_update"),
    }
)
"""Methods that change their object and give None; where the result is used, it is another method
of the same name (`frame.add`, polars' `frame.sort`)."""

_FIRST_ARGUMENT = frozenset(
    {
        *("delattr", "setattr", "shuffle", "insort", "insort_left", "insort_right"),
        *("heapify", "heappop", "heappush", "heappushpop", "heapreplace"),
    }
)
"""Functions that change their first argument."""


def base_name(node: ast.expr) -> str | None:
    """`x` of `x.a[0].b`; None where it does not begin with a name."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def mutated_by_call(node: ast.Call, *, discarded: bool) -> str | None:
    """The name whose value the call changes. `discarded` says that its result is not used."""
    name = node.func.id if isinstance(node.func, ast.Name) else None
    if isinstance(node.func, ast.Attribute):
        name = node.func.attr
        in_place = any(
            k.arg == "inplace" and isinstance(k.value, ast.Constant) and k.value.value is True
            for k in node.keywords
        )
        if in_place or name in RETURNING or (discarded and name in SILENT):
            return base_name(node.func.value)
    if name in _FIRST_ARGUMENT and node.args:
        return base_name(node.args[0])
    return None


def iterated_name(node: ast.expr) -> str | None:
    """`x` of `for … in x`, `enumerate(x)`, `x.values()`: what a loop's target comes out of."""
    if isinstance(node, ast.Call):
        match node.func:
            case ast.Name(id="enumerate" | "reversed" | "sorted" | "list" | "iter") if node.args:
                return iterated_name(node.args[0])
            case ast.Attribute(attr="values" | "items"):
                return base_name(node.func.value)
            case _:
                return None
    return base_name(node)
