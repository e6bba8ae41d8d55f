"""Follows a cell's statements along every path, without running anything."""

from __future__ import annotations

import ast
from functools import partial
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.flow.assignments import Assignments
from agentflow_dagster.notebook.flow.core import merge
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    SCALAR,
    Frame,
    Lazy,
    State,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_NONE: Value = frozenset()


class Interpreter(Assignments):
    """Runs one cell."""

    def run_cell(self, tree: ast.Module) -> None:
        """Runs all of it, and looks at what it leaves behind."""
        self.run(tree.body, self.outer)
        for name, value in list(self.own.items()):
            if name in self.effects.bound:
                self.look_into(value, tree, consume=False)

    def run(self, body: Sequence[ast.stmt], frame: Frame) -> bool:
        for node in body:
            self.note(node)
            self.step()
            method: Callable[[ast.stmt, Frame], bool | None] | None
            method = getattr(self, f"visit_{type(node).__name__}", None)
            if method is not None and method(node, frame) is False:
                return False
        return True

    def run_texts(self, texts: Iterable[str]) -> bool:
        for text in texts:
            tree = self.world.parsed(text)
            if tree is None:
                return False
            self.run(tree.body, self.outer)
        return True

    def visit_Expr(self, node: ast.Expr, frame: Frame) -> None:
        if isinstance(node.value, ast.Call):
            self.call_node(node.value, frame, is_discarded=True)
            return
        value = self.evaluate(node.value, frame)
        if not self.stack:  # the last one of a cell is shown
            self.look_into(value, node, consume=False)

    def visit_Return(self, node: ast.Return, frame: Frame) -> bool:
        value = self.evaluate(node.value, frame)
        frame.returns |= value
        frame.exits.append(self.state(frame))
        return False

    def visit_Raise(self, node: ast.Raise, frame: Frame) -> bool:
        self.look_into(self.evaluate(node.exc, frame), node, consume=False)
        self.evaluate(node.cause, frame)
        return False

    def visit_Break(self, _node: ast.stmt, frame: Frame) -> bool:
        frame.breaks.append(dict(frame.names))
        return False

    visit_Continue = visit_Break

    def visit_Assert(self, node: ast.Assert, frame: Frame) -> None:
        self.ask_truth(self.evaluate(node.test, frame), node)
        before = self.state(frame)
        self.evaluate(node.msg, frame)
        self.join([before, self.state(frame)], frame)

    def _paths(
        self, bodies: Iterable[Callable[[], bool]], frame: Frame, before: State | None = None
    ) -> bool:
        """Goes each way from here; says whether any leads on."""
        before = before or self.state(frame)
        after: list[State] = []
        for body in bodies:
            self.go_back(before, frame)
            if body():
                after.append(self.state(frame))
        self.join(after or [before], frame)
        return bool(after)

    def visit_If(self, node: ast.If, frame: Frame) -> bool:
        self.ask_truth(self.evaluate(node.test, frame), node)
        return self._paths(
            [lambda: self.run(node.body, frame), lambda: self.run(node.orelse, frame)], frame
        )

    def visit_For(self, node: ast.For | ast.AsyncFor, frame: Frame) -> None:
        over = self.evaluate(node.iter, frame)
        self._loop(node, frame, lambda: self._next_element(node, over, frame))

    visit_AsyncFor = visit_For

    def _next_element(self, node: ast.For | ast.AsyncFor, over: Value, frame: Frame) -> None:
        self.note(node)
        self.assign_to(node.target, self.elements(over, node), frame)

    def visit_While(self, node: ast.While, frame: Frame) -> None:
        self._loop(node, frame, lambda: self.ask_truth(self.evaluate(node.test, frame), node))

    def _loop(
        self, node: ast.For | ast.AsyncFor | ast.While, frame: Frame, begin: Callable[[], None]
    ) -> None:
        outside, frame.breaks = frame.breaks, []
        before = dict(frame.names)
        begin()
        self.run(node.body, frame)
        self._after_breaks(frame)
        if self._changed(before, frame) and not self.is_tired:
            merge(frame.names, before)
            begin()
            self.run(node.body, frame)
            self._after_breaks(frame)
        frame.breaks = outside
        self.run(node.orelse, frame)

    def _after_breaks(self, frame: Frame) -> None:
        for names in frame.breaks:
            merge(frame.names, names)
        frame.breaks = []

    def _changed(self, before: dict[str, Value], frame: Frame) -> bool:
        return any(frame.names.get(name) != value for name, value in before.items())

    def visit_With(self, node: ast.With | ast.AsyncWith, frame: Frame) -> bool:
        entered: list[Value] = []
        for item in node.items:
            value = self.evaluate(item.context_expr, frame)
            entered.append(value)
            target = _NONE
            for obj in value:
                given = self.dunder(obj, ("__enter__", "__aenter__"), node)
                if given is not None:
                    target |= given
                elif isinstance(obj, Lazy) and obj.body is not None:
                    target |= self.consume(obj, node)
                else:
                    target |= {obj}
            if item.optional_vars is not None:
                self.assign_to(item.optional_vars, target or SCALAR, frame)
        on = self.run(node.body, frame)
        for value in entered:
            for obj in value:
                self.dunder(obj, ("__exit__", "__aexit__"), node)
        return on

    visit_AsyncWith = visit_With

    def visit_Try(self, node: ast.Try | ast.TryStar, frame: Frame) -> bool:
        before = self.state(frame)
        on = self.run(node.body, frame) and self.run(node.orelse, frame)
        after = self.state(frame)
        self.join([before, after], frame)
        between = self.state(frame)
        states: list[State] = [after] if on else []
        for each in node.handlers:
            self.go_back(between, frame)
            if self._handler(each, frame):
                states.append(self.state(frame))
        self.join(states or [between], frame)
        return self.run(node.finalbody, frame) and bool(states)

    visit_TryStar = visit_Try

    def _handler(self, node: ast.ExceptHandler, frame: Frame) -> bool:
        self.evaluate(node.type, frame)
        if node.name is None:
            return self.run(node.body, frame)
        self.assign(node.name, SCALAR, frame, node)
        on = self.run(node.body, frame)
        if frame.scope is None:
            self.own.pop(node.name, None)
            self.certain.discard(node.name)
            self.effects.bound.pop(node.name, None)
            self.effects.removed.add(node.name)
        return on

    def visit_Match(self, node: ast.Match, frame: Frame) -> bool:
        subject = self.evaluate(node.subject, frame)
        self.look_into(subject, node, consume=False)
        last = node.cases[-1]
        catches_all = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None
        paths: list[Callable[[], bool]] = [
            partial(self._case, case, subject, frame) for case in node.cases
        ]
        if not catches_all or last.guard is not None:
            paths.append(lambda: True)
        return self._paths(paths, frame)

    def _case(self, case: ast.match_case, subject: Value, frame: Frame) -> bool:
        parts = _NONE
        for obj in subject:
            parts |= self.load(obj, ALL) if obj.kind != "scalar" else SCALAR
        for pattern in ast.walk(case.pattern):
            match pattern:
                case ast.MatchAs(name=str(name)):
                    whole = pattern is case.pattern
                    self.assign(name, subject if whole else subject | parts, frame, pattern)
                case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                    held = self.fresh("list", pattern, holds=parts)
                    self.assign(name, held, frame, pattern)
                case ast.MatchValue():
                    self.evaluate(pattern.value, frame)
                case ast.MatchClass():
                    self.evaluate(pattern.cls, frame)
                case _:
                    pass
        if case.guard is not None:
            self.ask_truth(self.evaluate(case.guard, frame), case.guard)
        return self.run(case.body, frame)
