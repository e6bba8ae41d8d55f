"""What attributes and methods of lists, dicts, arrays, tables and unknown objects do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.notebook._mutations import RETURNING, SILENT
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    ITEMS,
    SCALAR,
    SIZE,
    Lazy,
    Method,
    Obj,
    Value,
)

if TYPE_CHECKING:
    import ast

    from agentflow_dagster.notebook.flow.arguments import Arguments
    from agentflow_dagster.notebook.flow.iteration import Iteration

_NONE: Value = frozenset()

_KNOWN = frozenset({"list", "tuple", "dict", "set", "iterator"})
_ADDING_ELEMENTS = frozenset({"extend", "extendleft", "update"})
_DICT = RETURNING | SILENT | {"get", "items", "values", "keys", "copy"}
_STREAMS = frozenset(
    {
        *("read", "readline", "readlines", "write", "writelines", "seek", "truncate", "close"),
        *("send", "throw", "writerow", "writerows", "writeheader", "put", "put_nowait", "get"),
        *("get_nowait", "__next__", "start", "join", "getvalue", "setdefault", "flush"),
    }
)
"""Methods that change where a stream, generator or queue stands."""

_CHANGING = frozenset(
    {
        *("fit", "partial_fit", "fit_transform", "add_node", "add_edge", "add_nodes_from"),
        *("add_edges_from", "__setitem__", "__delitem__", "__setattr__", "subtract", "write"),
        *("appendleft", "set", "register", "push", "put", "increment", "reset", "set_value"),
    }
)
_ARRAY_CHANGING = frozenset({"fill", "sort", "resize", "put", "partition", "itemset", "setfield"})
_ARRAY_VIEWS = frozenset(
    {
        "reshape",
        "ravel",
        "view",
        "transpose",
        "swapaxes",
        "squeeze",
        "diagonal",
        "T",
        "flat",
        "real",
    }
)
_SHAPE = frozenset({"shape", "size", "ndim", "dtype", "itemsize", "nbytes", "strides"})
_FRAME_CHANGING = frozenset({"insert", "update"})
_FRAME_VIEWS = frozenset({"groupby", "rolling", "expanding", "resample", "ewm"})
_FRAME_ITERATORS = frozenset({"itertuples", "iterrows", "items"})
ROWS = frozenset({"index", "empty", "ndim", "columns", "shape", "size", "dtypes", "values", "T"})


def plain_attribute(run: Iteration, obj: Obj, name: str, node: ast.AST) -> Value:
    """`obj.name`, which is not called at once."""
    match obj.kind:
        case "scalar":
            return SCALAR
        case "array":
            if name in _ARRAY_VIEWS:
                return run.view(obj, ALL, node)
            run.touch(obj, SIZE if name in _SHAPE else ALL)
            return SCALAR
        case "frame":
            run.touch(obj, SIZE if name in {"index", "ndim"} else ALL if name in ROWS else name)
            if name in obj.fields:
                return run.load(obj, name)
            return frozenset({run.make("frame", node, is_open=True)})
        case "namespace":
            return run.look_up(name, run.outer)
        case "object" if name == "__dict__":
            return run.view_of_names(obj, node)
        case "dict" | "object" if obj.kind == "object" or name not in _DICT:
            return run.load(obj, name)  # a dict may be a namespace: `SimpleNamespace(a=1)`
        case "list" | "tuple" | "dict" | "set" | "iterator":
            made = run.made(Method("method", run.cell, name=name), node, str(id(obj)))
            made.receiver = made.receiver | {obj}
            run.follow(obj, made)
            return frozenset({made})
        case _:
            return run.load(obj, name) if name in obj.fields else SCALAR


def call_plain(run: Iteration, obj: Obj, name: str, arguments: Arguments, node: ast.AST) -> Value:
    """`obj.name(…)` of an object whose class no cell defines."""
    match obj.kind:
        case "array":
            return _of_array(run, obj, name, arguments, node)
        case "frame":
            return _of_frame(run, obj, name, arguments, node)
        case "function" | "method":
            run.look_into(arguments.all(), node)
            return SCALAR
        case "namespace":
            return _of_namespace(run, name, arguments)
        case _:
            pass
    known = obj.kind in _KNOWN
    if name == "clear" and known:
        run.write_over(obj)
        return SCALAR
    if name in SILENT and (known or arguments.is_discarded):
        return _add(run, obj, name, arguments, node)
    if name in RETURNING:
        return _take(run, obj, name, arguments)
    if obj.kind in {"dict", "object"} and name in {"get", "items", "values", "keys", "copy"}:
        return _of_dict(run, obj, name, arguments, node)
    return _of_unknown(run, obj, name, arguments, node)


def _of_unknown(run: Iteration, obj: Obj, name: str, arguments: Arguments, node: ast.AST) -> Value:
    """A method that may change what it is called of, to judge by its name and use."""
    if obj.kind == "iterator" and name in {"__next__", "send"}:
        return run.consume(obj, node)
    if obj.kind in _KNOWN and name == "copy":
        return run.fresh(obj.kind, node, holds=run.load(obj, ALL))
    is_stream = obj.kind == "iterator"
    unused = arguments.is_discarded and obj.kind not in _KNOWN
    fits = name.startswith(("fit", "partial_fit"))
    if name in _STREAMS and (is_stream or unused):
        changes = True
    else:
        changes = name in _CHANGING and (arguments.is_discarded or fits)
    if not changes:
        return _ask(run, obj, arguments, node)
    run.put(obj, ALL, arguments.all() | SCALAR)
    run.look_into(arguments.all(), node, consume=name in {"writelines", "writerows"})
    run.write(obj, ALL, is_guess=not is_stream)
    return SCALAR if is_stream else frozenset({obj})


def _ask(run: Iteration, obj: Obj, arguments: Arguments, node: ast.AST) -> Value:
    """A method that changes nothing, as far as anyone knows."""
    run.look_into(frozenset({obj}), node, consume=False)
    run.look_into(arguments.all(), node)
    if obj.kind in _KNOWN:
        if obj.kind == "set":
            return run.fresh("set", node, holds=run.load(obj, ALL))
        return SCALAR
    return frozenset({run.make("object", node, is_open=True)})


def _add(run: Iteration, obj: Obj, name: str, arguments: Arguments, node: ast.AST) -> Value:
    """`append`, `update`, `sort` and their like."""
    if name in _ADDING_ELEMENTS:
        for value in arguments.given:
            if obj.kind in {"dict", "object"} and name == "update":
                for each in value:
                    if each.kind == "dict" and not each.is_open:
                        run.copy_items(frozenset({each}), obj)
                        for key in each.fields:
                            run.write(obj, key)
                        continue
                    run.put(obj, ALL, run.elements(frozenset({each}), node))
                    run.write(obj, ALL)
            else:
                run.put(obj, ALL, run.elements(value, node))
                run.write(obj, ALL)
        for key, value in arguments.named.items():
            run.put(obj, key, value)
            run.write(obj, key)
        return SCALAR
    if name == "sort" and "key" in arguments.named:
        run.call(arguments.named["key"], _one(run.load(obj, ALL)), node)
    for value in arguments.each():
        run.put(obj, ALL, value)
    run.write(obj, ALL)
    return SCALAR


def _one(value: Value) -> Arguments:
    from agentflow_dagster.notebook.flow.arguments import Arguments

    return Arguments((value,))


def _take(run: Iteration, obj: Obj, name: str, arguments: Arguments) -> Value:
    """`pop` and `setdefault`."""
    found = _NONE
    for key in run.keys(arguments.at(0)) if obj.kind in {"dict", "object"} else (ALL,):
        if name == "setdefault":
            run.put(obj, key, arguments.at(1) or SCALAR)
        found |= run.load(obj, key)
        run.write(obj, key)
    return found | (arguments.at(1) or _NONE)


def _of_dict(run: Iteration, obj: Obj, name: str, arguments: Arguments, node: ast.AST) -> Value:
    match name:
        case "get" if arguments.given:
            found = arguments.at(1)
            for key in run.keys(arguments.at(0)):
                found |= run.load(obj, key)
            return found or SCALAR
        case "keys":
            made = run.view(obj, SIZE, node, kind="tuple")
            (keys,) = made
            keys.is_open = False
            return made
        case "values" | "items":
            held = frozenset[Obj]().union(*obj.fields.values()) if obj.fields else _NONE
            if obj.is_open and not held:
                held = run.load(obj, ALL)
            made = run.view(obj, ALL, node, kind="tuple")
            (each,) = made
            each.is_open = False
            if name == "items":
                pair = run.make("tuple", node, tag="pair")
                keys = frozenset[Obj]().union(
                    *(run.world.constant(k) for k in obj.fields if isinstance(k, str | int))
                )
                run.put(pair, 0, SCALAR if obj.is_open or ALL in obj.fields else keys or SCALAR)
                run.put(pair, 1, held or SCALAR)
                held = frozenset({pair})
            run.put(each, ALL, held or SCALAR)
            return made
        case "copy":
            made = run.make(obj.kind, node, is_open=obj.is_open)
            run.copy_items(frozenset({obj}), made)
            return frozenset({made})
        case _:
            return _ask(run, obj, arguments, node)


def _of_namespace(run: Iteration, name: str, arguments: Arguments) -> Value:
    """`globals().get("name")`, `globals().update(…)`."""
    names = run.texts(arguments.at(0))
    if name == "get" and names is not None:
        found = arguments.at(1)
        for each in names:
            found |= run.look_up(each, run.outer)
        return found or SCALAR
    if name == "update":
        for each, value in arguments.named.items():
            run.assign(each, value, run.outer, run.place)
        if not arguments.given:
            return SCALAR
        for obj in arguments.given[0]:
            if obj.kind == "dict" and not obj.is_open and ALL not in obj.fields:
                for key, held in obj.fields.items():
                    if isinstance(key, str):
                        run.assign(key, frozenset(held), run.outer, run.place)
            else:
                run.blind("globals")
        return SCALAR
    run.blind("globals")
    return SCALAR


def _of_array(run: Iteration, obj: Obj, name: str, arguments: Arguments, node: ast.AST) -> Value:
    for out in arguments.named.get("out", _NONE):
        run.write(out, ITEMS)
    if name in _ARRAY_CHANGING:
        run.look_into(arguments.all(), node)
        run.write(obj, ALL if name == "resize" else ITEMS)
        return SCALAR
    if name in _ARRAY_VIEWS:
        return run.view(obj, ALL, node)
    run.touch(obj, ALL)
    run.look_into(arguments.all(), node)
    return frozenset({run.make("array", node, is_open=True)})


def _of_frame(run: Iteration, obj: Obj, name: str, arguments: Arguments, node: ast.AST) -> Value:
    run.look_into(arguments.all(), node)
    in_place = arguments.named.get("inplace", _NONE)
    if in_place or name in _FRAME_CHANGING:
        run.write(obj, ALL)
        return SCALAR
    if name == "pop":
        for key in run.keys(arguments.at(0)):
            run.write(obj, key)
    elif name in _FRAME_VIEWS:
        return run.view(obj, ALL, node)
    else:
        run.touch(obj, ALL)
    if name in _FRAME_ITERATORS:
        made = run.made(Lazy("iterator", run.cell), node)
        made.fields.setdefault(ALL, set()).update(SCALAR)
        return frozenset({made})
    return frozenset({run.make("frame", node, is_open=True)})
