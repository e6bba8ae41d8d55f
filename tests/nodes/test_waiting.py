"""Kinds that wait: what they ask, and what they make of what comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.human_approval import Approval
from agentflow_dagster.nodes.human_input import Input
from agentflow_dagster.nodes.logic_delay import Delay
from agentflow_dagster.ports.waits import Answer, Asked, Escalation
from tests.support.contexts import context

if TYPE_CHECKING:
    from agentflow_dagster.ports.kind import Kind, NodeResult

AT = datetime(2027, 1, 1, 9, tzinfo=UTC)
OUT = Answer(AT)


@dataclass
class Given:
    """Answers what it was given to answer."""

    answer_: Answer
    asked: list[Asked] = field(default_factory=list[Asked])

    async def ask(self, asked: Asked) -> None:
        self.asked.append(asked)

    async def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.answer_


async def ran(kind: Kind[Any], waits: Given, **config: object) -> NodeResult:
    return await kind.run(context(waits=waits), kind.config.model_validate(config))


def said(value: Any, note: str = "") -> Given:
    return Given(Answer(AT, value, "mara", note))


async def test_a_delay_is_due_after_its_time_or_at_it() -> None:
    after, until = Given(OUT), Given(OUT)
    assert (await ran(Delay(), after, **{"for": "2h"})).output == {"at": AT.isoformat()}
    assert after.asked == [Asked("timer", {"for": "2h"}, due=7200.0)]
    await ran(Delay(), until, until="2027-01-01T10:00:00+01:00")
    assert until.asked[0].due == AT


@pytest.mark.parametrize(
    "config", [{}, {"for": "1h", "until": AT.isoformat()}, {"until": "2027-01-01T09:00:00"}]
)
def test_a_delay_has_one_end_with_a_zone(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Delay.config.model_validate(config)


async def test_an_approval_asks_who_may_decide() -> None:
    waits = said({"approved": True}, "fine")
    done = await ran(
        Approval(),
        waits,
        ask="Pay?",
        show={"amount": 5},
        people=["mara"],
        deadline="2d",
        escalate=[{"after": "1d", "to": ["head"]}],
    )
    assert waits.asked == [
        Asked(
            "approval",
            {"ask": "Pay?", "show": {"amount": 5}},
            due=172_800.0,
            people=("mara",),
            escalations=(Escalation(86_400.0, ("head",)),),
        )
    ]
    assert done.port == "result"
    assert done.output == {"by": "mara", "note": "fine", "at": AT.isoformat()}


@pytest.mark.parametrize("value", [{"approved": False}, {"approved": 1}, {}, None, "yes", True])
async def test_nothing_but_a_clear_yes_approves(value: Any) -> None:
    assert (await ran(Approval(), said(value), ask="Pay?")).port == "rejected"


@pytest.mark.parametrize(("means", "port"), [("reject", "rejected"), ("approve", "result")])
async def test_a_deadline_decides_as_it_says(means: str, port: str) -> None:
    done = await ran(Approval(), Given(OUT), ask="Pay?", deadline="1h", onDeadline=means)
    assert done.port == port
    assert done.output == {"by": None, "note": "", "at": AT.isoformat()}


async def test_a_deadline_may_fail_the_step() -> None:
    with pytest.raises(RunError, match="Nobody has decided within 1h"):
        await ran(Approval(), Given(OUT), ask="Pay?", deadline="1h", onDeadline="fail")


SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}


async def test_an_input_is_what_was_filled_in() -> None:
    waits = said({"text": "Hello"})
    assert (await ran(Input(), waits, ask="What?", schema=SCHEMA)).output == {"text": "Hello"}
    assert waits.asked[0].subject == {"ask": "What?", "show": None, "schema": SCHEMA}


async def test_at_its_deadline_it_has_its_default_or_fails() -> None:
    given = {"ask": "What?", "schema": SCHEMA, "deadline": "4h"}
    assert (await ran(Input(), Given(OUT), **given, default={"text": "x"})).output == {"text": "x"}
    with pytest.raises(RunError, match="Nobody has answered 'probe' within 4h"):
        await ran(Input(), Given(OUT), **given)


def test_who_else_may_decide_needs_somebody_who_may_first() -> None:
    with pytest.raises(ValidationError, match="who may answer at first"):
        Approval.config.model_validate({"ask": "?", "escalate": [{"after": "1h", "to": ["x"]}]})
