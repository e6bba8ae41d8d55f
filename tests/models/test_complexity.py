"""How hard a call looks: each thing that is seen makes the difference that the page tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.models.complexity import complexity
from agentflow_dagster.ports.model import Image, Message, ModelRequest, ToolSpec

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

TOOL = ToolSpec("t", "A tool.", {"type": "object"})
PICTURE = Image("image/png", b"x")


def fields(count: int) -> JsonObject:
    return {"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(count)}}


def of(text: str, schema: JsonObject | None = None, *, tools: bool = False, seen: int = 0) -> str:
    message = Message("user", text, images=(PICTURE,) * seen)
    return complexity(
        ModelRequest((message,), output_schema=schema, tools=(TOOL,) if tools else ())
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello.", "low"),
        ("Explain this.", "medium"),  # 1
        ("Explain and compare, then draft and review.", "medium"),  # 2: of a sort, two count.
        ("PROVE it.", "medium"),  # 2
        ("Prove it, and explain.", "medium"),  # 3
        ("Prove it, then explain and compare.", "high"),  # 4
        ("Design and debug it.", "high"),  # 4
        ("The planet is undesigned, unexplained.", "low"),  # Words, not parts of them.
        ("Find the root cause.", "medium"),
        ("Go step by step.", "medium"),
    ],
)
def test_words_of_the_request(text: str, found: str) -> None:
    assert of(text) == found


def test_its_length() -> None:
    assert (of("x" * 12_000), of("x" * 12_001)) == ("low", "medium")
    hard = "Prove it, and explain."
    assert of(f"{hard} {'x' * 11_000}") == "medium"
    assert of(f"{hard} {'x' * 12_001}") == "high"
    assert of(f"Prove it. {'x' * 12_001}") == "medium"
    assert of(f"Prove it. {'x' * 60_001}") == "high"


def test_words_far_from_the_beginning_are_not_looked_at() -> None:
    assert of(f"{'x ' * 1_995} prove") == "medium"
    assert of(f"{'x ' * 2_000} prove") == "low"


def test_each_message_has_a_beginning() -> None:
    system = Message("system", "x " * 2_000)
    assert complexity(ModelRequest((system, Message("user", "Prove it.")))) == "medium"


def test_tools_and_pictures() -> None:
    assert of("Hello.", tools=True) == "medium"  # 2
    assert of("Design it.", tools=True) == "high"
    assert of("Explain it.", tools=True) == "medium"
    assert of("Explain it.", tools=True, seen=1) == "high"
    assert of("Hello.", seen=1) == "medium"
    assert of("Explain it.", tools=True, seen=3) == of("Explain it.", tools=True, seen=1)


def test_a_small_form_makes_it_easier_and_a_large_one_harder() -> None:
    assert of("Explain it.", fields(8)) == "low"
    assert of("Hello.", fields(9)) == "medium"
    assert of("Hello.", {}) == "low"


def test_fields_count_at_all_depths() -> None:
    within: JsonObject = {"type": "array", "items": {"anyOf": [fields(4), fields(4)]}}
    nested: JsonObject = {"type": "object", "properties": {"rows": within}}
    assert of("Hello.", nested) == "medium"  # 9
    assert of("Hello.", {"type": "object", "properties": {"rows": fields(7)}}) == "low"  # 8
