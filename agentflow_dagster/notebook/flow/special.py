"""Builtins and library functions of which each does something of its own kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agentflow_dagster.notebook.flow.arguments import Arguments
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    SCALAR,
    SIZE,
    Instance,
    Lazy,
    Obj,
    Value,
)

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable

    from agentflow_dagster.notebook.flow.iteration import Iteration

_NONE: Value = frozenset()


def contents(run: Iteration, value: Value) -> Value:
    """What a value holds."""
    found = _NONE
    for each in value:
        if each.kind != "scalar":
            found |= run.load(each, ALL)
    return found or SCALAR


def _length(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    for obj in arguments.at(0):
        if run.dunder(obj, ("__len__",), node) is None:
            run.touch(obj, SIZE if not obj.is_open or obj.kind in {"array", "frame"} else ALL)
    return SCALAR


def _next(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    found = _NONE
    for obj in arguments.at(0):
        if (given := run.dunder(obj, ("__next__",), node)) is not None:
            found |= given
        elif obj.kind == "object":
            found |= run.load(obj, ALL)
            run.write(obj, ALL)
        else:
            found |= run.elements(frozenset({obj}), node)
    return found | (arguments.at(1) or _NONE) or SCALAR


def _get_attribute(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    found = arguments.at(2)
    names = run.texts(arguments.at(1))
    for obj in arguments.at(0):
        if names is None:
            run.look_into(frozenset({obj}), node, consume=False)
            found |= run.load(obj, ALL) if obj.kind != "scalar" else SCALAR
        for name in names or ():
            found |= run.attribute(obj, name, node)
    return found or SCALAR


def _has_attribute(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    for obj in arguments.at(0):
        for key in run.keys(arguments.at(1)):
            if isinstance(obj, Instance) and isinstance(key, str):
                run.attribute(obj, key, node)
            run.touch(obj, key)
    return SCALAR


def _set_attribute(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    del node
    names = run.texts(arguments.at(1))
    for name in names or [ALL]:
        run.store(arguments.at(0), name, arguments.at(2) or SCALAR)
    return SCALAR


def _itself(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    del run, node
    return arguments.at(0) or SCALAR


def _names_of(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    if arguments.given:
        found = _NONE
        for obj in arguments.given[0]:
            found |= run.attribute(obj, "__dict__", node)
        return found
    return _namespace(run, arguments, node)


def _namespace(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    del arguments, node
    return frozenset({run.world.namespace})


def _execute(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    names = [obj for obj in arguments.at(1) if obj.kind not in {"scalar", "namespace"}]
    if names:  # in a dict of its own
        run.look_into(arguments.all(), node)
        for obj in names:
            run.put(obj, ALL, SCALAR)
            run.write(obj, ALL)
        return SCALAR
    texts = run.texts(arguments.at(0))
    if texts is None or not run.run_texts(texts):
        run.blind("exec")
    return SCALAR


def _evaluate(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    del node
    texts = run.texts(arguments.at(0))
    if texts is None or not run.run_texts(texts):
        run.blind("eval")
    return SCALAR


def _type(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    del node
    found = _NONE
    for obj in arguments.at(0):
        if isinstance(obj, Instance) and obj.type is not None:
            run.follow(obj, obj.type)
            found |= {obj.type}
    return found or SCALAR


def _least(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    found = _NONE
    for value in arguments.given:
        found |= run.elements(value, node) if len(arguments.given) == 1 else value
    run.look_into(found, node, consume=False)
    if "key" in arguments.named:
        run.call(arguments.named["key"], Arguments((found,)), node)
    return found | arguments.named.get("default", _NONE) or SCALAR


def _shallow(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    found = _NONE
    for obj in arguments.at(0):
        if obj.kind == "scalar":
            found |= {obj}
            continue
        copied = Obj(obj.kind, run.cell)
        if isinstance(obj, Instance):
            copied = Instance("instance", run.cell, type=obj.type)
        made = run.made(copied, node)
        run.copy_items(frozenset({obj}), made)
        found |= {made}
    return found or SCALAR


def _deep(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    run.look_into(arguments.at(0), node, consume=False)
    found = _NONE
    for obj in arguments.at(0):
        if isinstance(obj, Instance):
            made = Instance("instance", run.cell, is_open=True, type=obj.type)
            found |= {run.made(made, node)}
        elif obj.kind != "scalar":
            found |= {run.make(obj.kind, node, tag="deep", is_open=True)}
    return found or SCALAR


def _field(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    """A dataclass's field; `Classes` calls its `default_factory`."""
    made = run.make("object", node, tag="field")
    for key, value in arguments.named.items():
        run.put(made, key, value)
    return frozenset({made})


def _partial(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    made = run.made(Lazy("iterator", run.cell), node)
    made.calls = made.calls | arguments.at(0)
    made.over = [*arguments.given[1:], *arguments.named.values()]
    return frozenset({made})


def _reduce(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    elements = run.elements(arguments.at(1), node)
    start = arguments.at(2) or elements
    return run.call(arguments.at(0), Arguments((start, elements)), node)


def _named_tuple(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    run.look_into(arguments.all(), node)
    return run.world.member("notebook.NamedTuple")


def _type_hints(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    """Evaluates annotations, also those that are written as texts."""
    del node
    for obj in arguments.at(0):
        run.evaluate_annotations(obj)
    return SCALAR


def _async_run(run: Iteration, arguments: Arguments, node: ast.AST) -> Value:
    run.look_into(arguments.all(), node, consume=False)
    return arguments.at(0) or SCALAR


SPECIAL: Final[dict[str, Callable[[Iteration, Arguments, ast.AST], Value]]] = {
    "asyncio.run": _async_run,
    "asyncio.gather": _async_run,
    "builtins.delattr": _set_attribute,
    "builtins.eval": _evaluate,
    "builtins.exec": _execute,
    "builtins.getattr": _get_attribute,
    "builtins.globals": _namespace,
    "builtins.hasattr": _has_attribute,
    "builtins.len": _length,
    "builtins.locals": _namespace,
    "builtins.max": _least,
    "builtins.min": _least,
    "builtins.next": _next,
    "builtins.setattr": _set_attribute,
    "builtins.type": _type,
    "builtins.vars": _names_of,
    "collections.namedtuple": _named_tuple,
    "contextlib.closing": _itself,
    "contextlib.nullcontext": _itself,
    "copy.copy": _shallow,
    "copy.deepcopy": _deep,
    "dataclasses.field": _field,
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    "inspect.get_annotations": _type_hints,
    "types.MappingProxyType": _itself,
    "typing.get_type_hints": _type_hints,
    "weakref.proxy": _itself,
    "weakref.ref": _itself,
}
