"""A scripted model says what is scripted, and is held to what was asked."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import BudgetError, ModelError
from agentflow_dagster.models import ModelPlane
from agentflow_dagster.ports.model import Message, ModelRequest, ToolSpec
from agentflow_dagster.testing import Answer, Call, Price, ScriptedModel, faults

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonSchema
    from agentflow_dagster.testing import Turn

ASKED = (Message("user", "Hello?"),)
CITY: JsonSchema = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
LOOK_UP = ToolSpec("look_up", "Looks a city up.", CITY)


class Heard:
    def __init__(self) -> None:
        self.pieces: list[str] = []

    def text(self, piece: str) -> None:
        self.pieces.append(piece)

    def again(self) -> None:
        self.pieces.append("AGAIN")


async def test_turns_come_in_order_and_the_last_one_again():
    model = ScriptedModel(["one", "two"])
    said = [(await model.complete(ModelRequest(ASKED))).text for _ in range(3)]
    assert said == ["one", "two", "two"]
    assert [request.messages for request in model.requests] == [ASKED] * 3


async def test_a_function_answers_what_is_asked():
    model = ScriptedModel(lambda request: request.messages[-1].content.upper())
    assert (await model.complete(ModelRequest(ASKED))).text == "HELLO?"


async def test_an_object_meets_the_schema():
    model = ScriptedModel([{"city": "Paris"}])
    assert (await model.complete(ModelRequest(ASKED, output_schema=CITY))).output == {
        "city": "Paris"
    }


async def test_a_listener_hears_the_pieces():
    heard = Heard()
    reply = await ScriptedModel(["One two three."]).complete(ModelRequest(ASKED), heard)
    assert heard.pieces == ["One ", "two ", "three."]
    assert reply.text == "One two three."


async def test_tools_are_called():
    model = ScriptedModel([Answer("", (Call("look_up", {"city": "Paris"}),))])
    reply = await model.complete(ModelRequest(ASKED, tools=(LOOK_UP,)))
    assert [(c.id, c.name, c.arguments) for c in reply.tool_calls] == [
        ("call_1", "look_up", {"city": "Paris"})
    ]


async def test_usage_has_a_price():
    price = Price(Decimal(10), Decimal(30))
    model = ScriptedModel([Answer(tokens_in=1000, tokens_out=100)], name="dear", price=price)
    usage = (await model.complete(ModelRequest(ASKED, max_tokens=50))).usage
    assert (usage.tokens_in, usage.tokens_out) == (1000, 50)
    assert usage.cost_usd == Decimal("0.0115")
    assert (usage.model, usage.provider) == ("test/dear", "test")


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        ("no JSON", "does not meet the schema"),
        (faults.wrong_schema(), "'city' is a required"),
        (faults.broken_arguments(), "what is no JSON"),
        (faults.wrong_arguments(), "does not take"),
        (faults.unknown_tool(), "offered: look_up"),
        (faults.filtered(), "filter"),
        ("", "said nothing"),
        (Answer(delay=5), "had not answered"),
    ],
)
async def test_what_no_provider_may_say_is_an_error(turn: Turn, said: str):
    request = ModelRequest(ASKED, output_schema=CITY, tools=(LOOK_UP,), timeout=0.05)
    with pytest.raises(ModelError, match=said):
        await ScriptedModel([turn]).complete(request)


async def test_an_error_is_raised():
    down = ModelError("Down.", model="x", provider="y")
    broke = BudgetError("Broke.", budget="run", limit_usd=Decimal(1), left_usd=Decimal(0))
    model = ScriptedModel([down, broke, "back"])
    with pytest.raises(ModelError, match="Down"):
        await model.complete(ModelRequest(ASKED))
    with pytest.raises(BudgetError, match="Broke"):
        await model.complete(ModelRequest(ASKED))
    assert (await model.complete(ModelRequest(ASKED))).text == "back"


async def test_the_plane_finds_it_by_its_name():
    request = ModelRequest(ASKED, model="test/judge")
    with ScriptedModel(["yes"], name="judge") as model:
        reply = await ModelPlane({}).complete(request)
    assert reply.text == "yes"
    assert model.requests[0].messages == ASKED
    with pytest.raises(ModelError, match="test/judge"):
        await ModelPlane({}).complete(request)


def test_a_script_without_turns_is_refused():
    with pytest.raises(ValueError, match="at least one turn"):
        ScriptedModel([])
