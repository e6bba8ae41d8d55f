"""Calls what was imported, and builtins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.notebook.flow.arguments import Arguments
from agentflow_dagster.notebook.flow.known import (
    CALLS_FIRST,
    CHANGES,
    COPIES,
    DECORATORS,
    ITERATORS,
    KIND_OF_MODULE,
    NUMBERS,
    ONLY_THE_NAME,
    SCALAR_MODULES,
    VIEWS,
)
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    ITEMS,
    SCALAR,
    Lazy,
    Member,
    Obj,
    Value,
)
from agentflow_dagster.notebook.flow.special import SPECIAL, contents

if TYPE_CHECKING:
    import ast

    from agentflow_dagster.notebook.flow.iteration import Iteration

_NONE: Value = frozenset()


def member_attribute(run: Iteration, obj: Member, name: str) -> Value:
    """What a module or something in it holds under a name."""
    run.touch(obj, name)
    if name in obj.fields:
        return run.load(obj, name)
    found = run.world.member(f"{obj.name}.{name}")
    for each in found:
        run.follow(obj, each)
    return found


def call_member(run: Iteration, obj: Member, arguments: Arguments, node: ast.AST) -> Value:
    """Calls something that was imported, or a builtin."""
    name = obj.name
    module, _, last = name.rpartition(".")
    special = SPECIAL.get(name)
    if special is not None:
        return special(run, arguments, node)
    if module in {"builtins.list", "builtins.dict", "builtins.set"} and arguments.given:
        return _unbound(run, last, arguments, node)
    if (changed := CHANGES.get(name)) is not None:
        return _change(run, arguments, changed, node)
    if name in DECORATORS:
        return arguments.at(0) or frozenset({obj})
    if name in ITERATORS or f"{module}.*" in ITERATORS:
        return _iterator(run, name, arguments, node)
    if name in COPIES:
        return _copy(run, name, arguments, node)
    for each in arguments.named.get("file" if name == "builtins.print" else "out", _NONE):
        run.write(each, ITEMS if each.kind == "array" else ALL)
    if module == "builtins" and last in ONLY_THE_NAME:
        return SCALAR
    if module == "builtins" and last in NUMBERS:
        run.look_into(arguments.all(), node, consume=last not in {"print", "repr", "str", "format"})
        return SCALAR
    return _of_library(run, name, arguments, node)


def _unbound(run: Iteration, name: str, arguments: Arguments, node: ast.AST) -> Value:
    """`list.append(rows, 1)`."""
    found = _NONE
    behind = Arguments(arguments.given[1:], arguments.named, arguments.spread)
    for each in arguments.given[0]:
        found |= run.call_method(each, name, behind, node)
    return found


def _of_library(run: Iteration, name: str, arguments: Arguments, node: ast.AST) -> Value:
    """A function that nothing special is known of."""
    top, _, rest = name.partition(".")
    if name in VIEWS:
        arrays = [each for each in arguments.at(0) if each.kind == "array"]
        if arrays:
            return frozenset[Obj]().union(*(run.view(each, ALL, node) for each in arrays))
    run.look_into(arguments.all(), node)
    if top in KIND_OF_MODULE:
        return frozenset({run.make(KIND_OF_MODULE[top], node, is_open=True)})
    if top in SCALAR_MODULES or name in SCALAR_MODULES:
        if rest in {"findall", "split"}:
            return run.fresh("list", node)
        if rest[:1].islower() and top != "os":
            return SCALAR
    made = run.make("object", node, is_open=True)
    if rest.rpartition(".")[2][:1].isupper():
        run.put(made, ALL, arguments.all() | SCALAR)
        for key, value in arguments.named.items():
            run.put(made, key, value)
    return frozenset({made})


def _change(run: Iteration, arguments: Arguments, index: int, node: ast.AST) -> Value:
    run.look_into(arguments.all(), node, consume=False)
    given = _NONE
    for place, value in enumerate(arguments.given):
        if place != index:
            given |= value
    for each in arguments.at(index):
        if each.kind != "scalar":
            run.put(each, ALL, given or SCALAR)
            run.write(each, ALL)
    return contents(run, arguments.at(index))


def _iterator(run: Iteration, name: str, arguments: Arguments, node: ast.AST) -> Value:
    made = run.made(Lazy("iterator", run.cell), node)
    given = list(arguments.given)
    if name in CALLS_FIRST and given:
        made.calls = made.calls | given.pop(0)
    elif name.startswith(("io.", "builtins.open", "queue.")):
        run.look_into(arguments.all(), node)
        given = []
    if name in {"builtins.zip", "builtins.enumerate", "itertools.product"}:
        pair = run.make("tuple", node, tag="pair")
        for index, value in enumerate(given):
            place = index + (name == "builtins.enumerate")
            run.put(pair, place, _peek(value))
        made.fields.setdefault(ALL, set()).add(pair)
        made.over = given
    else:
        made.over = given
        if not made.calls or name != "builtins.map":
            for value in given:
                made.fields.setdefault(ALL, set()).update(_peek(value))
    return frozenset({made})


def _peek(value: Value) -> Value:
    """What an iterator over a value will give, before anyone asks for it."""
    found = _NONE
    for each in value:
        if each.kind in {"list", "tuple", "set", "object", "instance"} and (
            each.fields or each.is_open
        ):
            if each.fields:
                found |= frozenset(o for held in each.fields.values() for o in held)
            else:
                child = Obj("object", each.cell, is_open=True)
                each.fields[ALL] = {child}
                found |= {child}
        elif each.kind == "array":
            child = Obj("array", each.cell, is_open=True, base=(each, ITEMS))
            found |= {child}
    return found or SCALAR


def _copy(run: Iteration, name: str, arguments: Arguments, node: ast.AST) -> Value:
    made = run.make(COPIES[name], node)
    given = arguments.given
    if name == "collections.defaultdict":
        run.put(made, ALL, run.call(arguments.at(0), Arguments(), node) if given else SCALAR)
        given = given[1:]
    if name == "builtins.sorted" and "key" in arguments.named:
        elements = frozenset[Obj]().union(*(run.elements(v, node) for v in given))
        run.call(arguments.named["key"], Arguments((elements,)), node)
    for value in given:
        if made.kind == "dict":
            run.copy_items(frozenset(o for o in value if o.kind in {"dict", "object"}), made)
            for each in value:
                if each.kind not in {"dict", "scalar"}:
                    pairs = run.elements(frozenset({each}), node)
                    run.put(made, ALL, contents(run, pairs))
        else:
            elements = run.elements(value, node)
            run.put(made, ALL, elements)
    if made.kind == "dict":
        for key, value in arguments.named.items():
            run.put(made, key, value)
    return frozenset({made})
