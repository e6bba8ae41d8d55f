"""The syntax tree of a compiled CEL expression: what it reads, and whether it is one reference.

The library gives the tree as a serialized `cel.expr.CheckedExpr` (`ParsedExpr` where it was not
type-checked); the message types are declared
here from the CEL specification's `cel/expr/syntax.proto` and `checked.proto`, field numbers alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from google.protobuf import any_pb2, descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS: dict[str, Any] = {
    "string": _FIELD.TYPE_STRING,
    "bool": _FIELD.TYPE_BOOL,
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
}
_MESSAGES: dict[str, list[tuple[str, int, str]]] = {
    "Constant": [("string_value", 6, "string")],
    "Ident": [("name", 1, "string")],
    "Select": [("operand", 1, "Expr"), ("field", 2, "string"), ("test_only", 3, "bool")],
    "Call": [("target", 1, "Expr"), ("function", 2, "string"), ("args", 3, "Expr*")],
    "CreateList": [("elements", 1, "Expr*")],
    "Entry": [("map_key", 3, "Expr"), ("value", 4, "Expr")],
    "CreateStruct": [("entries", 2, "Entry*")],
    "Comprehension": [
        ("iter_var", 1, "string"),
        ("iter_range", 2, "Expr"),
        ("accu_var", 3, "string"),
        ("accu_init", 4, "Expr"),
        ("loop_condition", 5, "Expr"),
        ("loop_step", 6, "Expr"),
        ("result", 7, "Expr"),
        ("iter_var2", 8, "string"),
    ],
    "Expr": [
        ("id", 2, "int64"),
        ("const_expr", 3, "Constant"),
        ("ident_expr", 4, "Ident"),
        ("select_expr", 5, "Select"),
        ("call_expr", 6, "Call"),
        ("list_expr", 7, "CreateList"),
        ("struct_expr", 8, "CreateStruct"),
        ("comprehension_expr", 9, "Comprehension"),
    ],
    "Position": [("key", 1, "int64"), ("value", 2, "int32")],
    "SourceInfo": [("positions", 4, "Position*")],
    "ParsedExpr": [("expr", 2, "Expr"), ("source_info", 3, "SourceInfo")],
    "CheckedExpr": [("expr", 4, "Expr"), ("source_info", 5, "SourceInfo")],
}


@dataclass(frozen=True, slots=True)
class Read:
    """One thing that an expression reads: `classify.output.label` has the root `classify`.

    Args:
        root: A name of the scope.
        path: The fields after it, as far as they are fixed.
        tested: Whether it only stands inside `has()`.
        offset: Where the root stands in the expression's text (characters).
    """

    root: str
    path: tuple[str, ...]
    tested: bool = False
    offset: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True)
class Syntax:
    """What the tree of one expression says.

    Args:
        reads: Everything read from the scope, in order.
        reference: The one reference that it is, or None where it computes anything.
        nested_loops: How deep comprehensions stand inside each other.
    """

    reads: tuple[Read, ...]
    reference: Read | None
    nested_loops: int


def parse(serialized: bytes) -> Syntax:
    """Reads the tree out of `cel.Expression.serialize()`."""
    envelope = any_pb2.Any.FromString(serialized)
    message = _message_class(envelope.type_url.rpartition(".")[2])
    told = cast("Any", message).FromString(envelope.value)
    root, places = told.expr, {p.key: p.value for p in told.source_info.positions}
    chain = _chain(root, places)
    reference = chain if chain is not None and not chain.tested else None
    return Syntax(tuple(_reads(root, frozenset(), places)), reference, _depth(root))


def _chain(expr: Any, places: Mapping[int, int]) -> Read | None:
    """The reference that an expression is, if it is nothing else."""
    fields: list[str] = []
    tested = False
    while expr.HasField("select_expr"):
        fields.append(expr.select_expr.field)
        tested = tested or expr.select_expr.test_only
        expr = expr.select_expr.operand
    if not expr.HasField("ident_expr"):
        return None
    offset = places.get(expr.id, -1)
    return Read(expr.ident_expr.name, tuple(reversed(fields)), tested, offset)


def _reads(expr: Any, bound: frozenset[str], places: Mapping[int, int]) -> Iterator[Read]:
    chain = _chain(expr, places)
    if chain is not None:
        if chain.root not in bound:
            yield chain
        return
    for inner in _children(expr):
        if expr.HasField("comprehension_expr"):
            loop = expr.comprehension_expr
            names = {loop.iter_var, loop.iter_var2, loop.accu_var}
            within = bound if inner is loop.iter_range else bound | names
            yield from _reads(inner, within, places)
        else:
            yield from _reads(inner, bound, places)


def _children(expr: Any) -> Iterator[Any]:
    match expr.WhichOneof("kind"):
        case "select_expr":
            yield expr.select_expr.operand
        case "call_expr":
            if expr.call_expr.HasField("target"):
                yield expr.call_expr.target
            yield from expr.call_expr.args
        case "list_expr":
            yield from expr.list_expr.elements
        case "struct_expr":
            for entry in expr.struct_expr.entries:
                if entry.HasField("map_key"):
                    yield entry.map_key
                yield entry.value
        case "comprehension_expr":
            loop = expr.comprehension_expr
            yield loop.iter_range
            yield loop.accu_init
            yield loop.loop_condition
            yield loop.loop_step
            yield loop.result
        case _:
            return


def _depth(expr: Any) -> int:
    own = 1 if expr.HasField("comprehension_expr") else 0
    return own + max((_depth(inner) for inner in _children(expr)), default=0)


@cache
def _message_class(name: str) -> type:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"agentflow.cel.{name}"))


@cache
def _pool() -> DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(
        name="agentflow_cel_syntax.proto", package="agentflow.cel", syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == "Expr":
            message.oneof_decl.add(name="kind")
        for field_name, number, kind in fields:
            declared = message.field.add(name=field_name, number=number)
            repeated = kind.endswith("*")
            declared.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            if scalar := _SCALARS.get(kind):
                declared.type = scalar
            else:
                declared.type = _FIELD.TYPE_MESSAGE
                declared.type_name = f".agentflow.cel.{kind.rstrip('*')}"
            if name == "Expr" and not scalar:
                declared.oneof_index = 0
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool
