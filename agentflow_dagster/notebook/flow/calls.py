"""What happens when something is called."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agentflow_dagster.notebook._scopes import Scope, function_scope
from agentflow_dagster.notebook.flow.arguments import Arguments
from agentflow_dagster.notebook.flow.classes import Classes
from agentflow_dagster.notebook.flow.iteration import DEPTH
from agentflow_dagster.notebook.flow.library import call_member
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    SCALAR,
    Class,
    Frame,
    Function,
    Instance,
    Kind,
    Lazy,
    Member,
    Method,
    Obj,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONE: Value = frozenset()


class Calls(Classes):
    """Calls whatever a cell calls."""

    def call(self, function: Value, arguments: Arguments, node: ast.AST) -> Value:
        found = _NONE
        for obj in function:
            found |= self._call_one(obj, arguments, node)
        return found or SCALAR

    def _call_one(self, obj: Obj, arguments: Arguments, node: ast.AST) -> Value:
        match obj:
            case Function():
                return self._call_function(obj, arguments, node)
            case Method():
                if obj.function is not None:
                    given = arguments.behind(obj.receiver) if obj.receiver else arguments
                    return self._call_function(obj.function, given, node)
                found = _NONE
                for receiver in obj.receiver:
                    found |= self.call_method(receiver, obj.name, arguments, node)
                return found
            case Class():
                return self._instantiate(obj, arguments, node)
            case Member():
                return call_member(self, obj, arguments, node)
            case Instance():
                return self.call_method(obj, "__call__", arguments, node)
            case Lazy(calls=calls) if calls:  # functools.partial
                given = Arguments((*obj.over, *arguments.given), arguments.named, arguments.spread)
                return self.call(calls, given, node)
            case _:
                self.touch(obj, ALL)
                return self.call_unknown(arguments, node)

    def call_unknown(self, arguments: Arguments, node: ast.AST) -> Value:
        """A call of which nothing is known: it looks at what it is given."""
        self.look_into(arguments.all(), node)
        return frozenset({self.make("object", node, is_open=True)})

    def _call_function(self, function: Function, arguments: Arguments, node: ast.AST) -> Value:
        definition = function.node
        if definition is None:
            return SCALAR
        if self.is_tired or len(self.stack) >= DEPTH or self.stack.count(definition) > 1:
            self.look_into(arguments.all(), node, consume=False)
            return SCALAR
        frame = Frame(_scope(definition), function.frame, {}, Obj("object", self.cell))
        frame.shell = self.made(frame.shell, definition, "shell")
        if function.frame is not None:
            self.follow(function, function.frame.shell)
        self._bind_parameters(function, arguments, frame, definition)
        self.enter(node, definition)
        try:
            return self._run_function(definition, frame)
        finally:
            self.leave()

    def _run_function(
        self, definition: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, frame: Frame
    ) -> Value:
        if isinstance(definition, ast.Lambda):
            return self.evaluate(definition.body, frame)
        if _is_generator(definition):
            later = self.made(Lazy("iterator", self.cell, body=definition), definition, "later")
            later.frame = frame
            return frozenset({later})
        self.run_body(definition, frame)
        return frozenset(frame.returns) or SCALAR

    def run_body(self, definition: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        """Runs a function's body; behind it the cell goes on from any place where it returns."""
        outside = frame.exits
        frame.exits = []
        if self.run(definition.body, frame):
            frame.exits.append(self.state(frame))
        if len(frame.exits) > 1:
            self.join(frame.exits, frame)
        frame.exits = outside

    def _bind_parameters(
        self, function: Function, arguments: Arguments, frame: Frame, node: ast.AST
    ) -> None:
        definition = function.node
        assert definition is not None
        parameters = definition.args
        places = [*parameters.posonlyargs, *parameters.args]
        names = frame.names
        for index, parameter in enumerate(places):
            if index < len(arguments.given):
                names[parameter.arg] = arguments.given[index]
        named = dict(arguments.named)
        for parameter in (*places, *parameters.kwonlyargs):
            if parameter.arg not in names:
                value = named.pop(parameter.arg, _NONE) | arguments.spread
                if not value or arguments.spread:
                    value |= self._default(function, parameter.arg)
                names[parameter.arg] = value or SCALAR
        if parameters.vararg is not None:
            rest = dict(enumerate(arguments.given[len(places) :]))
            held = self._rest("tuple", rest, arguments.spread, node)
            names[parameters.vararg.arg] = held
        if parameters.kwarg is not None:
            held = self._rest("dict", named, arguments.spread, node)
            names[parameters.kwarg.arg] = held

    def _default(self, function: Function, name: str) -> Value:
        value = function.defaults.get(name, _NONE)
        for obj in value:
            self.follow(function, obj)
        return value

    def _rest(self, kind: Kind, held: Mapping[Any, Value], spread: Value, node: ast.AST) -> Value:
        """What `*args` or `**kwargs` takes."""
        obj = self.make(kind, node, tag="rest")
        for key, value in held.items():
            self.put(obj, key, value)
        if spread:
            self.put(obj, ALL, spread)
        return frozenset({obj})

    def _used_up(self, obj: Obj, node: ast.AST) -> bool:
        match obj:
            case Lazy(calls=calls) if calls and not obj.over:
                return False
            case Lazy():
                self.consume(obj, node)
                return True
            case Function() | Method() | Class():
                if isinstance(obj, Class) or obj in self.called_back:
                    return True
                self.called_back.append(obj)
                given = Arguments(spread=frozenset({self.make("object", node, is_open=True)}))
                self._call_one(obj, given, node)
                self.called_back.pop()
                return True
            case _:
                return False


@lru_cache(maxsize=4_000)
def _scope(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Scope:
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    return function_scope(node.args, body)


@lru_cache(maxsize=4_000)
def _is_generator(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(each)
    return False
