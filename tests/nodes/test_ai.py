"""`ai.chat` and `ai.classify`: what they ask of a model, and what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.nodes.ai_chat import Chat, ChatConfig
from agentflow_dagster.nodes.ai_classify import Classify, ClassifyConfig
from agentflow_dagster.ports.model import Message
from agentflow_dagster.spec.document import LLM
from tests.support.contexts import USAGE, SmallModel, context
from tests.support.documents import codes, minimal

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

SETTINGS = LLM(model="gpt-4o-mini", temperature=0.3, max_tokens=50)
LABELS = {"bug": "something is broken", "howto": "how to use it"}


async def test_chat_asks_and_gives_the_text() -> None:
    model = SmallModel(text="Hello.")
    config = ChatConfig(prompt="Say hello.", system="Be short.")
    done = await Chat().run(context(model=model, llm=SETTINGS, timeout=9.0), config)
    assert (done.output, done.port, done.usage) == ({"text": "Hello."}, "result", (USAGE,))
    (request,) = model.requests
    assert request.messages == (Message("system", "Be short."), Message("user", "Say hello."))
    assert (request.model, request.temperature, request.max_tokens) == ("gpt-4o-mini", 0.3, 50)
    assert (request.timeout, request.output_schema) == (9.0, None)


async def test_chat_without_instructions_has_one_message() -> None:
    model = SmallModel()
    await Chat().run(context(model=model), ChatConfig(prompt="hi"))
    assert model.requests[0].messages == (Message("user", "hi"),)
    assert model.requests[0].model is None


async def test_classify_asks_for_one_of_its_labels() -> None:
    model = SmallModel(output={"label": "bug", "confidence": 0.9})
    config = ClassifyConfig(text="It broke.", labels=LABELS, instructions="Prefer bug.")
    done = await Classify().run(context(model=model, llm=LLM(model="m")), config)
    assert (done.output, done.usage) == ({"label": "bug", "confidence": 0.9}, (USAGE,))
    (request,) = model.requests
    system, user = request.messages
    assert user == Message("user", "It broke.")
    assert "- bug: something is broken\n- howto: how to use it\nPrefer bug." in system.content
    assert request.temperature == 0.0
    assert request.output_schema == {
        "type": "object",
        "properties": {
            "label": {
                "anyOf": [
                    {"const": "bug", "description": "something is broken"},
                    {"const": "howto", "description": "how to use it"},
                ]
            },
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        },
        "required": ["label", "confidence"],
        "additionalProperties": False,
    }


async def test_classify_takes_the_nodes_temperature() -> None:
    model = SmallModel()
    config = ClassifyConfig(text="x", labels=LABELS)
    await Classify().run(context(model=model, llm=SETTINGS), config)
    assert model.requests[0].temperature == 0.3


async def test_a_model_that_refuses() -> None:
    given = context(model=SmallModel(refuses=True))
    with pytest.raises(ModelError):
        await Chat().run(given, ChatConfig(prompt="x"))
    with pytest.raises(ModelError):
        await Classify().run(given, ClassifyConfig(text="x", labels=LABELS))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"one": "x"}, ["AF112"]),
        (["a", "b"], ["AF112"]),
        ({"a": "x", "": "y"}, ["AF112"]),
        ({"a": "x", "b": 1}, ["AF112"]),
        ({"a": "x", "b": "{{input.what}}"}, []),
        ({"a": "x", "label with spaces": "y"}, []),
    ],
)
def test_labels(labels: JsonValue, expected: list[str]) -> None:
    nodes: JsonObject = {"c": {"kind": "ai.classify", "with": {"text": "x", "labels": labels}}}
    inputs: JsonObject = {"properties": {"what": {"type": "string"}}}
    assert codes(minimal(nodes, inputs=inputs)) == expected


def test_an_expression_knows_the_types_of_what_they_give() -> None:
    labels = cast("JsonObject", dict(LABELS))
    nodes: JsonObject = {
        "c": {"kind": "ai.classify", "with": {"text": "x", "labels": labels}},
        "d": {"kind": "ai.chat", "with": {"prompt": "{{c.output.label}}"}},
    }
    sure = minimal(nodes, outputs={"x": "{{c.output.confidence > 0.5 && d.output.text != ''}}"})
    assert codes(sure) == []
    assert codes(minimal(nodes, outputs={"x": "{{c.output.label > 1}}"})) == ["AF204"]
    assert codes(minimal(nodes, outputs={"x": "{{d.output.txt}}"})) == ["AF203"]
