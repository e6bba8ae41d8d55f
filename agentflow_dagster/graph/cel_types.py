"""JSON Schemas as CEL types, for the checker only.

An object with known properties becomes a protobuf message, so that CEL reports an unknown field; a
nullable scalar becomes its wrapper type; whatever a message cannot say is `dyn`. Values are never
built as messages: at run time expressions see plain JSON (`expressions.evaluate`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, struct_pb2, wrappers_pb2
from google.protobuf.descriptor_pool import DescriptorPool

from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonSchema

_PACKAGE = "agentflow"
_FIELD = descriptor_pb2.FieldDescriptorProto
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCALARS = {
    "string": (_FIELD.TYPE_STRING, "StringValue", cel.Type.STRING),
    "integer": (_FIELD.TYPE_INT64, "Int64Value", cel.Type.INT),
    "number": (_FIELD.TYPE_DOUBLE, "DoubleValue", cel.Type.DOUBLE),
    "boolean": (_FIELD.TYPE_BOOL, "BoolValue", cel.Type.BOOL),
}


class CelTypes:
    """Declares JSON Schemas in one descriptor pool and remembers which type is which schema."""

    def __init__(self) -> None:
        self._file = descriptor_pb2.FileDescriptorProto(
            name="agentflow.proto",
            package=_PACKAGE,
            syntax="proto3",
            dependency=[struct_pb2.DESCRIPTOR.name, wrappers_pb2.DESCRIPTOR.name],
        )
        self._schemas: dict[str, JsonSchema] = {}

    def declare(self, schema: JsonSchema) -> cel.Type:
        """The CEL type of values that meet the schema."""
        kind, nullable = simple_type(schema)
        if kind in _SCALARS and not nullable:
            return _SCALARS[kind][2]
        if kind == "array" and not nullable:
            return cel.Type.List(self.declare(_items(schema)))
        if kind == "object" and not nullable:
            if _has_message(schema):
                return cel.Type(self._message(schema))
            return cel.Type.Map(cel.Type.STRING, self.declare(_values(schema)))
        return cel.Type.DYN

    def pool(self) -> DescriptorPool:
        """The pool with all that was declared."""
        pool = DescriptorPool()
        for known in (struct_pb2.DESCRIPTOR, wrappers_pb2.DESCRIPTOR):
            pool.AddSerializedFile(known.serialized_pb)
        pool.AddSerializedFile(self._file.SerializeToString())
        return pool

    def schema_of(self, type_name: str) -> JsonSchema | None:
        """The schema behind a message type's name, as CEL's messages print it."""
        return self._schemas.get(type_name)

    def schema_of_type(self, type_: cel.Type) -> JsonSchema:
        """A JSON Schema for an expression's type; `{}` where it is not known before running."""
        return self._from_name(str(type_))

    def _from_name(self, name: str) -> JsonSchema:
        scalars: dict[str, JsonSchema] = {
            "STRING": {"type": "string"},
            "INT": {"type": "integer"},
            "UINT": {"type": "integer"},
            "DOUBLE": {"type": "number"},
            "BOOL": {"type": "boolean"},
            "NULL": {"type": "null"},
        }
        if name in scalars:
            return scalars[name]
        if name.startswith("LIST<"):
            return {"type": "array", "items": self._from_name(name[5:-1])}
        if name.startswith("MAP<"):
            return {"type": "object"}
        return self._schemas.get(name, {})

    def _message(self, schema: JsonSchema) -> str:
        name = f"T{len(self._schemas)}"
        full = f"{_PACKAGE}.{name}"
        self._schemas[full] = schema
        message = self._file.message_type.add(name=name)
        message.options.deprecated_legacy_json_field_conflicts = True  # foo_bar beside fooBar
        for number, (field, inner) in enumerate(properties(schema).items(), start=1):
            self._add_field(message, field, number, inner)
        return full

    def _add_field(
        self,
        message: descriptor_pb2.DescriptorProto,
        name: str,
        number: int,
        schema: JsonSchema,
    ) -> None:
        kind, nullable = simple_type(schema)
        field = message.field.add(name=name, number=number, label=_FIELD.LABEL_OPTIONAL)
        field.json_name = f"f{number}"
        if kind in _SCALARS:
            scalar, wrapper, _ = _SCALARS[kind]
            field.type = _FIELD.TYPE_MESSAGE if nullable else scalar
            if nullable:
                field.type_name = f".google.protobuf.{wrapper}"
            return
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = ".google.protobuf.Value"
        if nullable:
            return
        if kind == "object":
            message_type = self._message(schema) if _has_message(schema) else None
            field.type_name = f".{message_type}" if message_type else ".google.protobuf.Struct"
        elif kind == "array":
            self._make_repeated(field, _items(schema))

    def _make_repeated(self, field: descriptor_pb2.FieldDescriptorProto, items: JsonSchema) -> None:
        kind, nullable = simple_type(items)
        field.label = _FIELD.LABEL_REPEATED
        if kind in _SCALARS and not nullable:
            field.type = _SCALARS[kind][0]
            field.ClearField("type_name")
        elif kind == "object" and not nullable and _has_message(items):
            field.type_name = f".{self._message(items)}"


def simple_type(schema: JsonSchema) -> tuple[str, bool]:
    """The one JSON type that a schema allows beside null, or "" where it is not one; and null."""
    declared = schema.get("type")
    names: set[str] = set(cast("list[str]", declared)) if isinstance(declared, list) else set()
    if isinstance(declared, str):
        names = {declared}
    if not names:
        names = {_JSON_TYPES.get(type(choice), "") for choice in _choices(schema)}
    others = names - {"null"}
    return (others.pop() if len(others) == 1 else ""), "null" in names


_JSON_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
    list: "array",
    dict: "object",
}


def _choices(schema: JsonSchema) -> list[object]:
    if "const" in schema:
        return [schema["const"]]
    if isinstance(schema.get("enum"), list):
        return cast("list[object]", schema["enum"])
    options = cast("list[object]", schema.get("anyOf") or schema.get("oneOf") or [])
    named = [cast("JsonSchema", o) for o in options if isinstance(o, dict) and "const" in o]
    return [o["const"] for o in named] if len(named) == len(options) else []


def _has_message(schema: JsonSchema) -> bool:
    """Whether its fields are all named, each by an identifier, so that a message can have them."""
    extra = schema.get("additionalProperties")
    closed = extra is None or extra is False
    return (
        closed
        and isinstance(schema.get("properties"), dict)
        and all(_IDENTIFIER.fullmatch(name) for name in properties(schema))
    )


def _items(schema: JsonSchema) -> JsonSchema:
    items = schema.get("items")
    return cast("JsonSchema", items) if isinstance(items, dict) else {}


def _values(schema: JsonSchema) -> JsonSchema:
    values = schema.get("additionalProperties")
    return cast("JsonSchema", values) if isinstance(values, dict) else {}
