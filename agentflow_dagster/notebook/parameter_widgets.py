"""Widgets in a parameters cell: what a value of theirs may be, and how they are given one.

`limit = widgets.IntSlider(value=10, min=0, max=100)` stays a widget, so that `limit.value` means
the same everywhere: what papermill puts in as `limit = 5` is put in as `limit.value = 5`.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, cast

from agentflow_dagster.notebook.annotations import schema_of_value

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from agentflow_dagster.spec.values import JsonObject, JsonValue

_TYPED: dict[str, JsonObject] = {
    "IntSlider": {"type": "integer", "default": 0},
    "BoundedIntText": {"type": "integer", "default": 0},
    "IntText": {"type": "integer", "default": 0},
    "FloatSlider": {"type": "number", "default": 0.0},
    "BoundedFloatText": {"type": "number", "default": 0.0},
    "FloatText": {"type": "number", "default": 0.0},
    "Checkbox": {"type": "boolean", "default": False},
    "ToggleButton": {"type": "boolean", "default": False},
    "Text": {"type": "string", "default": ""},
    "Textarea": {"type": "string", "default": ""},
    "Combobox": {"type": "string", "default": ""},
    "DatePicker": {"type": ["string", "null"], "format": "date", "default": None},
}
_BOUNDED = frozenset({"IntSlider", "BoundedIntText", "FloatSlider", "BoundedFloatText"})
_CHOICES = frozenset({"Dropdown", "Select", "RadioButtons", "ToggleButtons", "SelectionSlider"})
_SEVERAL = "SelectMultiple"
_DATE = "DatePicker"
_LINE = re.compile(r"^(?P<name>\w+) = (?P<value>.*)$", re.MULTILINE)


def widget_schema(value: ast.expr) -> JsonObject | None:
    """The JSON Schema of a widget's value, its default included; None where this is no widget that
    is known, or its options are no literals."""
    kind = _kind(value)
    if kind is None:
        return None
    call = cast("ast.Call", value)
    try:
        given = {k.arg: _literal(k.value) for k in call.keywords if k.arg in _MEANT}
    except ValueError:
        return None
    if kind in _TYPED:
        return _typed(kind, given)
    options = _options(given.get("options"))
    if options is None:
        return None
    choice: JsonObject = {"enum": options}
    if kind == _SEVERAL:
        chosen = given.get("value", [])
        return {"type": "array", "items": choice, "default": chosen}
    known = schema_of_value(options).get("items", {})
    first = options[0] if options else None
    return {**cast("JsonObject", known), **choice, "default": given.get("value", first)}


def widgets_in(source: str) -> Mapping[str, str]:
    """The names that a parameters cell gives to widgets, and their kinds; nothing where it is not
    Python."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return {}
    found: dict[str, str] = {}
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if kind := _kind(value):
                    found[name] = kind
            case _:
                pass
    return found


def with_values(injected: str, widgets: Mapping[str, str]) -> str:
    """What papermill put in, with values for widgets in place of others under their names."""

    def changed(match: re.Match[str]) -> str:
        name, value = match["name"], match["value"]
        if name not in widgets:
            return match[0]
        if widgets[name] == _DATE and value != "None":
            value = f"__import__('datetime').date.fromisoformat({value})"
        return f"{name}.value = {value}"

    return _LINE.sub(changed, injected)


_MEANT: Collection[str | None] = ("value", "min", "max", "options")


def _kind(value: ast.expr) -> str | None:
    """The widget that a call makes: `widgets.IntSlider(…)`, `IntSlider(…)`."""
    match value:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[]):
            return name if name in _TYPED or name in _CHOICES or name == _SEVERAL else None
        case _:
            return None


def _literal(node: ast.expr) -> JsonValue:
    """A value as JSON has it; a date as its text.

    Raises:
        ValueError: it is none.
    """
    match node:
        case ast.Call(func=ast.Name(id="date") | ast.Attribute(attr="date"), args=[*parts]):
            year, month, day = (ast.literal_eval(part) for part in parts)
            return f"{year:04}-{month:02}-{day:02}"
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [_literal(item) for item in items]
        case _:
            return ast.literal_eval(node)


def _typed(kind: str, given: Mapping[str | None, JsonValue]) -> JsonObject:
    schema = dict(_TYPED[kind])
    if kind in _BOUNDED:
        schema |= {"minimum": given.get("min", 0), "maximum": given.get("max", 100)}
    if "value" in given:
        schema["default"] = given["value"]
    elif kind in _BOUNDED:
        schema["default"] = max(cast("float", schema["default"]), cast("float", schema["minimum"]))
    return schema


def _options(told: JsonValue) -> list[JsonValue] | None:
    """The values among which a widget chooses: given alone, or each with a label."""
    if isinstance(told, dict):
        return list(told.values())
    if not isinstance(told, list):
        return None
    if told and all(isinstance(one, list) and len(one) == 2 for one in told):
        return [cast("list[JsonValue]", one)[1] for one in told]
    return told
