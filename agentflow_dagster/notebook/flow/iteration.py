"""What is gone over, and what runs only then: generators and other iterators."""

from __future__ import annotations

import ast

from agentflow_dagster.notebook.flow.arguments import Arguments
from agentflow_dagster.notebook.flow.expressions import Expressions
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    ITEMS,
    SCALAR,
    SIZE,
    Lazy,
    Obj,
    Value,
)

DEPTH = 8
"""So many calls inside calls are gone into."""

_NONE: Value = frozenset()


class Iteration(Expressions):
    """Goes over lists, arrays, iterators and what else has elements."""

    def elements(self, value: Value, node: ast.AST) -> Value:
        found = _NONE
        for obj in value:
            found |= self._elements_of(obj, node)
        return found or SCALAR

    def _elements_of(self, obj: Obj, node: ast.AST) -> Value:
        match obj.kind:
            case "scalar" | "member" | "function" | "method" | "namespace":
                return SCALAR
            case "dict" if not obj.is_open:
                self.touch(obj, SIZE)
                texts = [k for k in obj.fields if isinstance(k, str | int)]
                if not texts or len(texts) < len(obj.fields):
                    return SCALAR
                return frozenset[Obj]().union(*(self.world.constant(k) for k in texts))
            case "array":
                return self.view(obj, ITEMS, node)
            case "frame":
                self.touch(obj, ALL)
                return SCALAR
            case "iterator":
                return self.consume(obj, node)
            case "instance":
                given = self.dunder(obj, ("__iter__", "__getitem__", "__next__"), node)
                if given is None:
                    return self.load(obj, ALL)
                return self.elements(given - {obj}, node) if given - {obj} else given
            case _:
                return self.load(obj, ALL)

    def consume(self, obj: Obj, node: ast.AST) -> Value:
        """Takes elements out of an iterator, which is then another one."""
        found = self.load(obj, ALL) if obj.fields else _NONE
        if isinstance(obj, Lazy) and len(self.stack) < DEPTH and obj.body not in self.stack:
            self.enter(node, obj.body or node)
            try:
                found |= self._run_lazy(obj, node)
            finally:
                self.leave()
        self.write(obj, ALL)
        return found or SCALAR

    def _run_lazy(self, obj: Lazy, node: ast.AST) -> Value:
        frame, body = obj.frame, obj.body
        for over in obj.over:
            for each in over:
                self.follow(obj, each)
        if body is None:
            elements = [self.elements(over, node) for over in obj.over]
            for each in obj.calls:
                self.follow(obj, each)
            return self.call(obj.calls, Arguments(tuple(elements)), node) if obj.calls else _NONE
        if frame is None:
            return SCALAR
        self.follow(obj, frame.shell)
        if frame.parent is not None:
            self.follow(obj, frame.parent.shell)
        for value in frame.names.values():
            for each in value:
                self.follow(obj, each)
        if isinstance(body, ast.GeneratorExp):
            held = self.make("list", body, tag="elements")
            self.fill(held, body, obj.over[0], frame)
            return frozenset(o for h in held.fields.values() for o in h)
        self.run_body(body, frame)
        return frozenset(frame.yields)
