"""Classes of the notebook, what is made of them, and their attributes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.flow.arguments import Arguments
from agentflow_dagster.notebook.flow.iteration import Iteration
from agentflow_dagster.notebook.flow.library import member_attribute
from agentflow_dagster.notebook.flow.methods import call_plain, plain_attribute
from agentflow_dagster.notebook.flow.objects import (
    ALL,
    SCALAR,
    Class,
    Frame,
    Function,
    Instance,
    Member,
    Method,
    Obj,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_NONE: Value = frozenset()


class Classes(Iteration):
    """Makes instances, and finds attributes and methods."""

    def _instantiate(self, cls: Class, arguments: Arguments, node: ast.AST) -> Value:
        if self.is_of(cls, "enum.Enum", "enum.StrEnum", "enum.IntEnum", "enum.Flag"):
            return self.load(cls, ALL)
        made = self.made(Instance("instance", self.cell, type=cls), node, f"instance{id(cls)}")
        made.is_open = any(not isinstance(base, Class) for base in cls.bases)
        value: Value = frozenset({made})
        self.follow(cls, made)  # what the class holds, `__init__` may look up
        starts = self.lookup_class(cls, "__init__")
        for start in starts:
            self.call(frozenset({start}), arguments.behind(value), node)
        if not starts:
            self._keep(made, cls, arguments)
        if made.cell == self.cell:
            self.effects.roots.pop(made, None)
        return value

    def _keep(self, made: Instance, cls: Class, arguments: Arguments) -> None:
        """A dataclass, a model or a named tuple keeps what it is given."""
        names = [n for c in (*cls.bases, cls) if isinstance(c, Class) for n in c.annotated]
        for name, value in zip(names, arguments.given, strict=False):
            self.put(made, name, value)
        for name, value in arguments.named.items():
            self.put(made, name, value)
        for value in arguments.given[len(names) :]:
            self.put(made, ALL, value)
        for name in names:
            for each in self.lookup_class(cls, name) if name not in made.fields else ():
                factory = frozenset(each.fields.get("default_factory", ()))
                node = cls.node or self.place
                self.put(
                    made,
                    name,
                    self.call(factory, Arguments(), node) if factory else frozenset({each}),
                )
        for start in self.lookup_class(cls, "__post_init__"):
            self.call(frozenset({start}), Arguments((frozenset({made}),)), cls.node or self.place)

    def attribute(self, obj: Obj, name: str, node: ast.AST) -> Value:
        match obj:
            case Instance():
                return self._of_instance(obj, name, node)
            case Class():
                if name in {"__name__", "__qualname__", "__doc__"}:
                    return SCALAR
                found = _NONE
                for each in self.lookup_class(obj, name):
                    if isinstance(each, Function) and each.is_class_method:
                        found |= {self._method(each, frozenset({obj}), node)}
                    else:
                        found |= {each}
                return found or SCALAR
            case Member():
                return member_attribute(self, obj, name)
            case Function() if name in {"__name__", "__qualname__", "__doc__", "__module__"}:
                return SCALAR
            case _:
                return plain_attribute(self, obj, name, node)

    def _of_instance(self, obj: Instance, name: str, node: ast.AST) -> Value:
        if name == "__dict__":
            return self.view_of_names(obj, node)
        if name in obj.fields:
            return self.load(obj, name)
        self.touch(obj, name)
        if obj.type is None:
            return SCALAR
        self.follow(obj, obj.type)
        if name == "__class__":
            return frozenset({obj.type})
        found = _NONE
        for each in self.lookup_class(obj.type, name):
            found |= self._bound(each, obj, obj.type, node)
        if found:
            return found
        if (given := self.dunder(obj, ("__getattr__",), node)) is not None:
            return given
        return self.load(obj, name)

    def _bound(self, each: Obj, obj: Obj, cls: Class, node: ast.AST) -> Value:
        """What an object's class holds, as the object shows it."""
        if not isinstance(each, Function) or each.is_static:
            return frozenset({each})
        if each.is_property:
            return self.call(frozenset({each}), Arguments((frozenset({obj}),)), node)
        owner = frozenset[Obj]({cls if each.is_class_method else obj})
        return frozenset({self._method(each, owner, node)})

    def _method(self, function: Function, receiver: Value, node: ast.AST) -> Method:
        made = self.made(Method("method", self.cell, function=function), node, str(id(function)))
        made.receiver = made.receiver | receiver
        return made

    def call_method(self, obj: Obj, name: str, arguments: Arguments, node: ast.AST) -> Value:
        if obj.kind == "scalar":
            self.look_into(arguments.all(), node)
            if name in {"split", "rsplit", "splitlines", "partition", "rpartition"}:
                return self.fresh("list", node)
            return SCALAR
        if isinstance(obj, Instance) and obj.type is not None and name not in obj.fields:
            self.follow(obj, obj.type)
            for each in self._inherited(obj.type, name):
                if isinstance(each, Function):
                    owner = frozenset[Obj]({obj.type if each.is_class_method else obj})
                    given = arguments if each.is_static else arguments.behind(owner)
                    return self.call(frozenset({each}), given, node)
            if name == "__init__" or not obj.is_open:
                return SCALAR
            return call_plain(self, obj, name, arguments, node)
        if isinstance(obj, Instance | Class | Member):
            return self.call(self.attribute(obj, name, node), arguments, node)
        if name in obj.fields and any(o.kind != "scalar" for o in obj.fields[name]):
            return self.call(self.load(obj, name), arguments, node)
        return call_plain(self, obj, name, arguments, node)

    def _inherited(self, cls: Class, name: str) -> Value:
        """A method; where it runs already and asks for it by `super()`, the one above it."""
        found = self.lookup_class(cls, name)
        if not any(isinstance(each, Function) and each.node in self.stack for each in found):
            return found
        above = _NONE
        for base in cls.bases:
            if isinstance(base, Class):
                self.follow(cls, base)
                above |= self._inherited(base, name)
        return above

    def dunder(self, obj: Obj, names: Iterable[str], node: ast.AST) -> Value | None:
        if not isinstance(obj, Instance) or obj.type is None:
            return None
        found: Value | None = None
        self.follow(obj, obj.type)
        for name in names:
            for each in self.lookup_class(obj.type, name):
                given = Arguments((frozenset({obj}),))
                found = (found or _NONE) | self.call(frozenset({each}), given, node)
        return found

    def evaluate_annotations(self, obj: Obj) -> None:
        """Of a function or class, as `typing.get_type_hints` does."""
        found: list[ast.expr] = []
        node: ast.AST | None = obj.node if isinstance(obj, Function | Class) else None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [a for a in ast.walk(node.args) if isinstance(a, ast.arg)]
            found = [a.annotation for a in arguments if a.annotation is not None]
            found += [node.returns] if node.returns is not None else []
        elif isinstance(node, ast.ClassDef):
            found = [each.annotation for each in node.body if isinstance(each, ast.AnnAssign)]
        frame = obj.frame if isinstance(obj, Function) and obj.frame else self.outer
        for annotation in found:
            self.look_into(self._annotation(annotation, frame), annotation, consume=False)

    def _annotation(self, node: ast.expr, frame: Frame) -> Value:
        """An annotation that is a text is Python too, and so are texts inside it."""
        found = _NONE
        for each in ast.walk(node):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                tree = self.world.parsed(each.value.strip())
                for statement in tree.body if tree else ():
                    if isinstance(statement, ast.Expr):
                        found |= self.evaluate(statement.value, frame)
        return found | self.evaluate(node, frame)
