"""Cells tagged `test` as tests of the document: what they set is the input, what they assert is
expected.

An assertion about one value becomes a matcher of document tests: `equals`, or a JSON Schema. What
has no such form is told, and stays in the notebook.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.spec.diagnostics import Position, pointer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from agentflow_dagster.notebook.cells import NotebookCell
    from agentflow_dagster.notebook.wiring import NodeWiring
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.values import JsonObject, JsonValue

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ORDER: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "exclusiveMaximum",
    ast.LtE: "maximum",
    ast.Gt: "exclusiveMinimum",
    ast.GtE: "minimum",
}
_NOTHING: list[JsonValue] = [None, False, 0, "", [], {}]
"""What Python takes for false."""


@dataclass(frozen=True, slots=True)
class CellTests:
    """The tests that cells say.

    Args:
        tests: By name, as the document has them.
        positions: The place of each, by its pointer in the document.
        diagnostics: What could not be understood.
    """

    tests: JsonObject
    positions: Mapping[str, Position] = field(default_factory=dict[str, Position])
    diagnostics: tuple[Diagnostic, ...] = ()


class _NoForm(Exception):
    """Something that document tests have no form for."""


def read_tests(
    cells: Iterable[NotebookCell],
    parameters: Collection[str],
    wired: Iterable[NodeWiring],
    taken: Collection[str],
) -> CellTests:
    """Reads the cells tagged `test`.

    Args:
        cells: The notebook's cells.
        parameters: The names of the run's input.
        wired: The nodes.
        taken: Names of tests that are said elsewhere, which count.
    """
    known = _references(wired)
    tests: JsonObject = {}
    positions: dict[str, Position] = {}
    found: list[Diagnostic] = []
    number = 0
    for cell in cells:
        if cell.role != "test":
            continue
        number += 1
        read = _TestCell(cell, parameters, known)
        found += read.diagnostics
        if not read.expected:
            continue
        name = _named(cell.source) or f"test_{number}"
        if name in taken or name in tests:
            message = f"There is another test {name!r}, which counts; this cell's does not."
            hint = "Begin the cell with a comment of its own: it names the test."
            found.append(problem("AF637", message, cell=cell, hint=hint))
            continue
        test: JsonObject = {"input": read.given} if read.given else {}
        tests[name] = {**test, "expect": read.expected}
        positions[pointer("spec", "tests", name)] = cell.place(Position(1))
    return CellTests(tests, positions, tuple(found))


def _references(wired: Iterable[NodeWiring]) -> Mapping[str, str]:
    """What the names that nodes pass on are in the document."""
    known: dict[str, str] = {}
    for node in wired:
        if node.cell.node is None:
            continue
        if node.cell.node.is_code:
            known |= {name: f"{node.cell.name}.output.{name}" for name in node.outputs}
        else:
            known[node.cell.name] = f"{node.cell.name}.output"
    return known


def _named(source: str) -> str:
    """The first comment as a name; "" where the cell does not begin with one."""
    first = source.lstrip().partition("\n")[0]
    if not first.startswith("#"):
        return ""
    words = re.sub(r"[^a-z0-9]+", "_", first.lower()).strip("_")
    return re.sub(r"^[^a-z]+", "", words)[:63].rstrip("_")


class _TestCell:
    """One cell: what it gives and expects."""

    def __init__(
        self, cell: NotebookCell, parameters: Collection[str], known: Mapping[str, str]
    ) -> None:
        self.given: JsonObject = {}
        self.expected: list[JsonValue] = []
        self.diagnostics: list[Diagnostic] = []
        self._cell = cell
        self._parameters = parameters
        self._known = known
        try:
            statements = ast.parse(cell.source).body
        except SyntaxError as error:
            self._untold(error.lineno or 1, "it is not Python")
            return
        for statement in statements:
            try:
                self._statement(statement)
            except _NoForm as why:
                self._untold(statement.lineno, str(why))

    def _untold(self, line: int, why: str) -> None:
        message = f"{self._cell.title}, line {line}: no test of the agent is made of this: {why}."
        hint = "Set parameters to literals, and compare what nodes make with literals."
        self.diagnostics.append(
            problem("AF636", message, cell=self._cell, position=Position(line), hint=hint)
        )

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name in self._parameters:
                if self.expected:
                    raise _NoForm(f"{name!r} is set after an assertion")
                self.given[name] = _literal(value)
            case ast.Assert(test=test):
                self.expected += [self._expectation(one) for one in _all_of(test)]
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                pass
            case _:
                raise _NoForm(f"`{_shortened(statement)}` neither sets a parameter nor asserts")

    def _expectation(self, test: ast.expr) -> JsonValue:
        match test:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]) if not _is_call(left):
                return {"value": self._path(left), "equals": _literal(right)}
            case _:
                path, schema = self._schema(test)
                return {"value": path, "schema": schema}

    def _schema(self, test: ast.expr) -> tuple[str, JsonObject]:
        """The value that an expression is about, and the JSON Schema that says the same of it."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                path, schema = self._schema(inner)
                return path, {"not": schema}
            case ast.BoolOp(op=op, values=values):
                told = [self._schema(one) for one in values]
                if len({path for path, _ in told}) > 1:
                    raise _NoForm("it is about several values at once")
                which = "anyOf" if isinstance(op, ast.Or) else "allOf"
                return told[0][0], {which: [schema for _, schema in told]}
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._compared(left, op, right)
            case ast.Call(
                func=ast.Attribute(value=value, attr="startswith" | "endswith" as which),
                args=[part],
                keywords=[],
            ):
                text = _literal(part)
                if not isinstance(text, str):
                    raise _NoForm(f"`{which}` is not asked for a text")
                pattern = re.escape(text)
                pattern = rf"\A{pattern}" if which == "startswith" else rf"{pattern}\Z"
                return self._path(value), {"type": "string", "pattern": pattern}
            case _:
                return self._path(test), {"not": {"enum": _NOTHING}}

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> tuple[str, JsonObject]:
        match left, op:
            case ast.Call(func=ast.Name(id="len"), args=[inner], keywords=[]), _:
                return self._path(inner), _length(op, _literal(right))
            case _, ast.Eq() | ast.Is():
                return self._path(left), {"const": _literal(right)}
            case _, ast.NotEq() | ast.IsNot():
                return self._path(left), {"not": {"const": _literal(right)}}
            case _, ast.In() | ast.NotIn():
                path, schema = self._contained(left, right)
                return path, schema if isinstance(op, ast.In) else {"not": schema}
            case _:
                limit = _literal(right)
                if isinstance(limit, bool) or not isinstance(limit, int | float):
                    raise _NoForm("only numbers are compared by size")
                return self._path(left), {"type": "number", _ORDER[type(op)]: limit}

    def _contained(self, left: ast.expr, right: ast.expr) -> tuple[str, JsonObject]:
        """`"a" in value`, as Python means it of a text, a list and a dict; or `value in [1, 2]`."""
        try:
            options = _literal(right)
        except _NoForm:
            item = _literal(left)
        else:
            if not isinstance(options, list):
                raise _NoForm("a value is looked for in a list of literals alone")
            return self._path(left), {"enum": options}
        ways: list[JsonValue] = [{"type": "array", "contains": {"const": item}}]
        if isinstance(item, str):
            ways.append({"type": "string", "pattern": re.escape(item)})
            ways.append({"type": "object", "required": [item]})
        return self._path(right), {"anyOf": ways}

    def _path(self, value: ast.expr) -> str:
        """What a value is in the document."""
        match value:
            case ast.Name(id=name) if name in self._known:
                return self._known[name]
            case ast.Name(id=name):
                raise _NoForm(f"no node passes on {name!r}")
            case ast.Subscript(value=inner, slice=ast.Constant(value=str(key))) if _KEY.fullmatch(
                key
            ):
                return f"{self._path(inner)}.{key}"
            case ast.Subscript(value=inner, slice=ast.Constant(value=int(at))) if at is not True:
                return f"{self._path(inner)}[{at}]"
            case _:
                raise _NoForm(f"`{_shortened(value)}` is no value that a node passes on")


def _all_of(test: ast.expr) -> list[ast.expr]:
    """What stands between `and`s, each by itself."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return [one for value in values for one in _all_of(value)]
        case _:
            return [test]


def _length(op: ast.cmpop, size: JsonValue) -> JsonObject:
    if isinstance(size, bool) or not isinstance(size, int):
        raise _NoForm("a length is compared with a whole number")
    match op:
        case ast.Eq():
            least, most = size, size
        case ast.Gt() | ast.GtE():
            least, most = size + isinstance(op, ast.Gt), None
        case ast.Lt() | ast.LtE():
            least, most = 0, size - isinstance(op, ast.Lt)
        case _:
            raise _NoForm("lengths are compared by ==, <, <=, > and >=")
    if least < 0 or (most is not None and most < 0):
        raise _NoForm("no length is below 0")
    ways: list[JsonValue] = []
    for kind, what in (("array", "Items"), ("string", "Length"), ("object", "Properties")):
        way: JsonObject = {"type": kind, f"min{what}": least}
        ways.append(way if most is None else {**way, f"max{what}": most})
    return {"anyOf": ways}


def _literal(value: ast.expr) -> JsonValue:
    try:
        found = ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError):
        raise _NoForm(f"`{_shortened(value)}` is no literal") from None
    if not _is_json(found):
        raise _NoForm(f"`{_shortened(value)}` is nothing that JSON can hold")
    return cast("JsonValue", found)


def _is_json(value: object) -> bool:
    match value:
        case None | bool() | int() | str():
            return True
        case float():
            return value == value and abs(value) != float("inf")  # noqa: PLR0124 # not a number
        case list():
            return all(map(_is_json, cast("list[object]", value)))
        case dict():
            items = cast("dict[object, object]", value)
            return all(isinstance(k, str) and _is_json(v) for k, v in items.items())
        case _:
            return False


def _is_call(value: ast.expr) -> bool:
    return isinstance(value, ast.Call)


def _shortened(node: ast.AST) -> str:
    line = " ".join(ast.unparse(node).split())
    return line if len(line) <= 60 else line[:59] + "…"
