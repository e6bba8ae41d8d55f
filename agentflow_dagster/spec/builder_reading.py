"""Reads the builder's Python without running it.

Only what `builder_code` writes, and what a person would write in its place, is understood: imports
from `agentflow_dagster`, names given to values, literals, the constructors of `builder.PARTS`,
`Agent`, `Workflow` and an agent's methods. Everything else is a diagnostic: no code of a document
is run in this process.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeAlias, cast

from pydantic import ValidationError

from agentflow_dagster.errors import UsageError
from agentflow_dagster.spec.builder import PARTS, Agent, Workflow
from agentflow_dagster.spec.diagnostics import Position, error, pointer
from agentflow_dagster.spec.yaml_reader import YamlSource

if TYPE_CHECKING:
    from collections.abc import Callable

Known: TypeAlias = object

_MODULES = frozenset({"agentflow_dagster", "agentflow_dagster.spec.builder", "__future__"})
_METHODS = frozenset(
    {"inputs", "secrets", "env", "trigger", "node", "outputs", "settings", "layout"}
)
_CONSTRUCTORS: dict[str, Callable[..., object]] = {**PARTS, "Agent": Agent, "Workflow": Workflow}
_MAX_DEPTH = 200
"""Deepest nesting of calls; each `.node(…)` of a chain is one level, and is not counted."""


class _Refused(Exception):
    def __init__(self, message: str, at: ast.AST, *, hint: str = "") -> None:
        super().__init__(message)
        position = Position(getattr(at, "lineno", 1), getattr(at, "col_offset", 0) + 1)
        self.diagnostic = error("AF808", message, hint=hint).at("", position)


def read_python(text: str) -> YamlSource:
    """The one document that a Python text makes. Never raises, and runs nothing of it."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        line = problem.lineno if isinstance(problem, SyntaxError) else None
        told = error("AF808", f"Not Python: {getattr(problem, 'msg', problem)}.")
        return YamlSource(None, diagnostics=(told.at("", Position(line or 1)),))
    reader = _Reader()
    try:
        made = reader.module(tree)
        return YamlSource(made.to_json(), reader.positions)
    except _Refused as refused:
        return YamlSource(None, diagnostics=(refused.diagnostic,))
    except RecursionError:
        return YamlSource(None, diagnostics=(error("AF808", "Nested too deep."),))
    except UsageError as problem:
        return YamlSource(None, diagnostics=(error("AF808", problem.message, hint=problem.hint),))


class _Reader:
    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self._names: dict[str, Known] = {}
        self._used: set[int] = set()

    def module(self, tree: ast.Module) -> Agent | Workflow:
        """The document that is made and not used for another one."""
        for statement in tree.body:
            self._statement(statement)
        made = [one for one in self._names.values() if isinstance(one, Agent | Workflow)]
        whole = list({id(one): one for one in made if id(one) not in self._used}.values())
        if len(whole) != 1:
            hint = "Make one Agent or Workflow in a file, and give it a name: agent = Agent(…)."
            raise _Refused(f"The file makes {len(whole)} documents.", tree, hint=hint)
        return whole[0]

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.ImportFrom(module=module, level=0) if module in _MODULES:
                if any(alias.asname for alias in statement.names):
                    raise _Refused("Import names as they are called.", statement)
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._names[name] = self._value(value, 0)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._names[name] = self._value(value, 0)
            case _:
                raise _Refused(
                    f"{type(statement).__name__} is not read: a document is not run.",
                    statement,
                    hint="Write imports from agentflow_dagster, literals and calls of the builder.",
                )

    def _value(self, node: ast.expr, depth: int) -> Known:
        if depth > _MAX_DEPTH:
            raise _Refused("Nested too deep.", node)
        deeper = depth + 1
        match node:
            case ast.Constant(value=None | bool() | int() | float() | str()):
                return node.value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -number
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self._value(item, deeper) for item in items]
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                return {self._key(k, node): self._value(v, deeper) for k, v in pairs}
            case ast.Name(id=name) if name in self._names:
                return self._names[name]
            case ast.Call():
                return self._call(node, depth)
            case _:
                shown = ast.unparse(node)[:60]
                hint = "Write the value out: literals, and calls of the builder."
                raise _Refused(f"{shown!r} is not read: a document is not run.", node, hint=hint)

    def _key(self, key: ast.expr | None, at: ast.AST) -> str:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            return key.value
        raise _Refused("A key is a text, written out.", key or at)

    def _call(self, node: ast.Call, depth: int) -> Known:
        """A call; a chain of methods is gone through from its beginning, not by recursion."""
        chain: list[tuple[ast.Call, str]] = []
        first: ast.expr = node
        while isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute):
            chain.append((first, first.func.attr))
            first = first.func.value
        if isinstance(first, ast.Call):
            made = self._constructed(first, depth)
        elif chain and isinstance(first, ast.Name) and first.id in self._names:
            made = self._names[first.id]
            self._used.add(id(made))
        else:
            shown = ast.unparse(first)[:60]
            raise _Refused(f"{shown!r} is not read: a document is not run.", first)
        for call, method in reversed(chain):
            if not isinstance(made, Agent) or method not in _METHODS:
                raise _Refused(f"There is no method {method!r} here.", call)
            positional, named = self._arguments(call, depth)
            if method in {"node", "trigger"} and positional:
                at = Position(call.args[0].lineno, call.args[0].col_offset + 1)
                self.positions[pointer("spec", f"{method}s", str(positional[0]))] = at
            bound = cast("Callable[..., object]", getattr(made, method))
            made = self._made(bound, positional, named, call)
        return made

    def _constructed(self, call: ast.Call, depth: int) -> Known:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        make = _CONSTRUCTORS.get(name)
        if make is None or name in self._names:
            raise _Refused(f"{ast.unparse(call.func)[:60]!r} is not known here.", call)
        positional, named = self._arguments(call, depth)
        if make is Workflow:
            members = named.get("agents", positional[1] if len(positional) > 1 else [])
            if isinstance(members, list):
                self._used |= {id(one) for one in cast("list[object]", members)}
        return self._made(make, positional, named, call)

    def _arguments(self, call: ast.Call, depth: int) -> tuple[list[Known], dict[str, Known]]:
        positional = [self._value(one, depth + 1) for one in call.args]
        named: dict[str, Known] = {}
        for keyword in call.keywords:
            if keyword.arg is None:
                raise _Refused("`**` is not read: write the fields out.", keyword.value)
            named[keyword.arg] = self._value(keyword.value, depth + 1)
        return positional, named

    def _made(
        self,
        make: Callable[..., object],
        positional: list[Known],
        named: dict[str, Known],
        at: ast.Call,
    ) -> Known:
        try:
            return make(*positional, **named)
        except ValidationError as problem:
            first = problem.errors(include_url=False)[0]
            place = ".".join(str(step) for step in first["loc"])
            raise _Refused(f"{place}: {first['msg']}.", at) from None
        except UsageError as problem:
            raise _Refused(problem.message, at, hint=problem.hint) from None
        except (TypeError, AttributeError) as problem:
            raise _Refused(f"{problem}.", at) from None
