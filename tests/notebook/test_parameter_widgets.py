"""Widgets of a parameters cell as JSON Schemas."""

from __future__ import annotations

import ast
from typing import Any

import ipywidgets
import pytest

from agentflow_dagster.notebook.parameter_widgets import widget_schema, widgets_in, with_values


def schema(text: str) -> Any:
    return widget_schema(ast.parse(text, mode="eval").body)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("IntSlider(value=1, min=0, max=9)", {"type": "integer", "minimum": 0, "maximum": 9}),
        ("FloatSlider()", {"type": "number", "minimum": 0, "maximum": 100}),
        ("IntSlider(min=5)", {"type": "integer", "minimum": 5, "maximum": 100}),
        ("IntText(value=3)", {"type": "integer"}),
        ("Checkbox(description='Dry?')", {"type": "boolean"}),
        ("Text()", {"type": "string"}),
        ("Dropdown(options=['a', 'b'])", {"type": "string", "enum": ["a", "b"]}),
        ("Dropdown(options=[('A', 1), ('B', 2)])", {"type": "integer", "enum": [1, 2]}),
        ("Select(options={'A': 1, 'B': 2}, value=2)", {"type": "integer", "enum": [1, 2]}),
        ("DatePicker()", {"type": ["string", "null"], "format": "date"}),
    ],
)
def test_the_schema_is_what_the_widget_takes(text: str, wanted: dict[str, object]) -> None:
    made = eval(f"ipywidgets.{text}", {"ipywidgets": ipywidgets})
    assert schema(f"widgets.{text}") == {**wanted, "default": made.value}
    assert schema(text) == schema(f"widgets.{text}")


def test_several_of_a_list() -> None:
    told = schema("widgets.SelectMultiple(options=['a', 'b'], value=['b'])")
    assert told == {"type": "array", "items": {"enum": ["a", "b"]}, "default": ["b"]}


@pytest.mark.parametrize("text", ["widgets.HTML()", "IntSlider(5)", "IntSlider(max=n)", "slider()"])
def test_what_says_too_little(text: str) -> None:
    assert schema(text) is None


def test_values_are_put_into_widgets_and_nothing_else() -> None:
    kinds = widgets_in("limit = widgets.IntSlider()\nday = DatePicker()\nname = 'x'")
    assert kinds == {"limit": "IntSlider", "day": "DatePicker"}
    injected = '# Parameters\nlimit = 5\nname = "y"\nday = "2026-01-02"\n'
    assert with_values(injected, kinds) == (
        '# Parameters\nlimit.value = 5\nname = "y"\n'
        "day.value = __import__('datetime').date.fromisoformat(\"2026-01-02\")\n"
    )
