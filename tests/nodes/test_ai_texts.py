"""`ai.complete`, `ai.summarize` and `ai.extract`: what they ask of a model, and what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.models import OfflineModel
from agentflow_dagster.nodes.ai_complete import Complete, CompleteConfig
from agentflow_dagster.nodes.ai_extract import Extract, ExtractConfig
from agentflow_dagster.nodes.ai_summarize import Summarize, SummarizeConfig
from agentflow_dagster.ports.model import Message
from agentflow_dagster.spec.document import LLM
from tests.support.contexts import USAGE, SmallModel, context
from tests.support.documents import codes, minimal, plan

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import Model
    from agentflow_dagster.spec.values import JsonObject, JsonValue

LETTER = (
    "The invoice INV-204 of 2026-03-01 over 1,250.50 EUR has not been paid. It was due on "
    "2026-03-15. We sent two reminders to ann@example.org. Nobody answered them. Please pay the "
    "amount within a week, or we hand the claim to a collection agency."
)
INVOICE: JsonObject = {
    "type": "object",
    "required": ["total"],
    "properties": {
        "total": {"type": "number", "description": "amount to pay"},
        "due": {"type": "string", "format": "date", "description": "due date"},
        "phone": {"type": "string", "pattern": r"\+\d{6,}"},
    },
}


@pytest.fixture(scope="module")
def offline() -> Model:
    return OfflineModel()


class TestComplete:
    async def test_the_prompt_is_sent_as_it_is(self) -> None:
        model = SmallModel(text="a, b\n\nc")
        llm = LLM(model="m", temperature=0.9, max_tokens=9)
        done = await Complete().run(context(model=model, llm=llm), CompleteConfig(prompt="Go on"))
        assert (done.output, done.usage) == ({"text": "a, b\n\nc"}, (USAGE,))
        (request,) = model.requests
        assert request.messages == (Message("user", "Go on"),)
        assert (request.model, request.temperature, request.max_tokens) == ("m", 0.9, 9)

    async def test_it_ends_before_the_first_stop(self) -> None:
        config = CompleteConfig(prompt="x", stop=("\n\n", "b", "z"))
        done = await Complete().run(context(model=SmallModel(text="a, b\n\nc")), config)
        assert done.output == {"text": "a, "}


class TestSummarize:
    async def test_the_bounds_are_in_the_schema(self) -> None:
        model = SmallModel(output={"summary": "Short."})
        config = SummarizeConfig(text="x", max_sentences=2, max_words=30, instructions="In German.")
        done = await Summarize().run(context(model=model), config)
        assert done.output == {"summary": "Short."}
        (request,) = model.requests
        assert request.messages[1] == Message("user", "x")
        assert request.messages[0].content.endswith("Instructions: In German.")
        schema: Any = request.output_schema
        told = schema["properties"]["summary"]["description"]
        assert told == "At most 2 sentences, at most 30 words in all."

    @pytest.mark.parametrize(
        ("style", "given", "most", "expected"),
        [
            (
                "paragraph",
                {"summary": "one two three four five six"},
                5,
                "one two three four five …",
            ),
            ("bullets", {"summary": ["one", "two", "three"]}, None, "- one\n- two"),
            ("bullets", {"summary": ["a b c d", "e f"]}, 5, "- a b c d\n- e …"),
            ("headline", {"headline": "a " * 20}, None, f"{'a ' * 12}…"),
        ],
    )
    async def test_a_model_that_says_too_much_is_cut(
        self, style: Any, given: JsonObject, most: int | None, expected: str
    ) -> None:
        config = SummarizeConfig(text="x", max_sentences=2, max_words=most, style=style)
        done = await Summarize().run(context(model=SmallModel(output=given)), config)
        assert done.output == {"summary": expected}

    async def test_offline_it_takes_sentences_that_fit(self, offline: Model) -> None:
        for style in ("paragraph", "bullets"):
            config = SummarizeConfig(text=LETTER, max_words=15, style=style)
            given: Any = await Summarize().run(context(model=offline, timeout=60.0), config)
            said: str = given.output["summary"]
            assert "…" not in said
            lines = said.replace("- ", "").replace("\n", " ")
            assert 5 <= len(lines.split()) <= 15
            assert lines.split(". ")[0] in LETTER


class TestExtract:
    async def test_the_schema_is_asked_for_and_given(self) -> None:
        model = SmallModel(output={"total": 3})
        config = ExtractConfig.model_validate(
            {"text": "t", "schema": INVOICE, "instructions": "Net."}
        )
        done = await Extract().run(context(model=model), config)
        assert (done.output, done.usage) == ({"total": 3}, (USAGE,))
        (request,) = model.requests
        assert (request.output_schema, request.temperature) == (INVOICE, 0.0)
        assert request.messages[0].content.endswith("Instructions: Net.")
        step = plan(minimal({"e": node(schema=INVOICE)})).step("e")
        assert step.output_schema == INVOICE

    async def test_offline_it_finds_what_is_there(self, offline: Model) -> None:
        config = ExtractConfig.model_validate({"text": LETTER, "schema": INVOICE})
        done = await Extract().run(context(model=offline, timeout=60.0), config)
        assert done.output == {"total": 1250.5, "due": "2026-03-15"}

    @pytest.mark.parametrize(
        "schema", [{"type": "string"}, {"type": "objct"}, {}, 5, "{{input.body}}"]
    )
    def test_only_an_objects_schema_is_taken(self, schema: JsonValue) -> None:
        inputs: JsonObject = {"properties": {"body": {"type": "string"}}}
        assert codes(minimal({"e": node(schema=schema)}, inputs=inputs)) == ["AF112"]


def node(**config: JsonValue) -> JsonObject:
    return {"kind": "ai.extract", "with": {"text": "x", **config}}
