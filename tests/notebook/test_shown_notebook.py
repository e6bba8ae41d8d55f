"""A notebook as it is shown stays a notebook."""

from __future__ import annotations

import base64
from typing import Any

import nbformat

from agentflow_dagster.engine.redaction_rules import BUILT_IN, Rule, Rules
from agentflow_dagster.notebook.shown_notebook import shown_notebook

ALL = Rules((*(Rule(name) for name in BUILT_IN), Rule("any", '[0-9"]+')))


def test_texts_are_redacted_and_all_else_is_left() -> None:
    v4: Any = nbformat.v4  # its functions have no types
    picture = base64.b64encode(b"joe@example.com 4111111111111111").decode()
    outputs = [
        v4.new_output("stream", text="joe@\nann@example.com 1\n"),
        v4.new_output(
            "display_data",
            data={
                "text/plain": "joe@example.com",
                "application/json": {"n": 4111111111111111},
                "image/png": picture,
            },
        ),
        v4.new_output("error", ename="E", evalue="joe@example.com", traceback=["joe@example.com"]),
    ]
    cell = v4.new_code_cell("send('joe@example.com')", outputs=outputs, execution_count=4111)
    text = nbformat.writes(v4.new_notebook(cells=[cell]))  # pyright: ignore[reportUnknownMemberType]
    shown = shown_notebook(text, ALL.text)
    assert "joe@example" not in shown
    assert "ann@" not in shown
    assert "4111111111111111" not in shown
    read: Any = nbformat.reads(shown, as_version=4)  # pyright: ignore[reportUnknownMemberType]
    nbformat.validate(read)
    assert read.cells[0].execution_count == 4111
    assert read.cells[0].outputs[1].data["image/png"] == picture


def test_without_rules_it_is_the_same_text() -> None:
    assert shown_notebook("no JSON", str) == "no JSON"
