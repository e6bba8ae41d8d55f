"""The engine is killed while a model speaks that has called tools: nothing is paid for again."""

from __future__ import annotations

import os
import signal
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.testing import Answer, Call, faults
from tests.e2e.conftest import ACME_PRICE
from tests.e2e.test_faults import component, revive
from tests.support.loopback import Loopback, Reply
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from agentflow_dagster import testing
    from agentflow_dagster.testing import Asked
    from tests.e2e.conftest import Running

pytestmark = pytest.mark.fault

DESK = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: order-desk}
spec:
  inputs: {type: object, required: [shop], properties: {shop: {type: string}}}
  defaults: {llm: {model: streams/one, maxTokens: 100}}
  nodes:
    helper:
      kind: ai.agent
      timeout: 5m
      with:
        prompt: Where are orders 7 and 8?
        tools:
          find_order:
            description: Says where an order is.
            parameters: {type: object, required: [number], properties: {number: {type: integer}}}
            nodes:
              get:
                kind: tool.http
                with: {url: "{{input.shop}}/orders/{{string(args.number)}}"}
            outputs: {order: "{{get.output.body}}"}
  outputs: {said: "{{helper.output.text}}"}
"""
FIRST = Answer("I look.", (Call("find_order", {"number": 7}),), tokens_in=61, tokens_out=19)
SECOND = Answer("", (Call("find_order", {"number": 8}),), tokens_in=83, tokens_out=23)
LAST = Answer("Both were sent.", tokens_in=109, tokens_out=29)


def answers_of(asked: Asked) -> int:
    """How many answers of tools a model is shown."""
    return sum(message.role == "tool" for message in asked.messages)


def states(running: Running, run_id: str) -> list[str]:
    rows = running.platform.stores.account.calls(run=run_id).to_pylist()
    return sorted(row["state"] for row in rows)


def test_a_killed_engine_pays_for_no_finished_call_again(running: Running) -> None:
    third: list[testing.Reply] = [LAST, faults.stalled()]
    running.acme.answer_with(
        lambda asked: (FIRST, SECOND)[n] if (n := answers_of(asked)) < 2 else third.pop(),
        forget=True,
    )
    file = running.project.root / "notebooks" / "order_desk.agent.yaml"
    file.write_text(DESK)
    (plan,) = running.deploy(file.name)
    file.unlink()
    with Loopback({f"/orders/{n}": Reply(200, '{"is": "sent"}') for n in (7, 8)}) as shop:
        run_id = running.launch(plan, {"shop": shop.url})
        running.acme.wait_until(lambda calls: len(calls) == 3, seconds=60)
        # Rows of calls are written behind; what was settled in between would count at its bound.
        wait_until(lambda: states(running, run_id) == ["answered", "answered", "open"])
        os.kill(component(running, "engine"), signal.SIGKILL)
        revive(running, "engine")
        record = running.finish(plan, run_id)
    assert record.status == "SUCCESS"
    assert record.outputs == {"said": "Both were sent."}
    assert [request.path for request in shop.requests] == ["/orders/7", "/orders/8"]
    calls = running.acme.received
    assert [answers_of(call.asked) for call in calls] == [0, 1, 2, 2]
    assert all(call.asked.stream for call in calls)
    assert [call.state for call in calls] == ["sent", "sent", "left", "sent"]
    assert calls[2].first_byte_at is not None  # Some of it had been said.

    rows = running.platform.stores.account.calls(run=run_id).to_pylist()
    answered = [row["cost_usd"] for row in rows if row["state"] == "answered"]
    (lost,) = [row["cost_usd"] for row in rows if row["state"] == "lost"]
    assert len(answered) + 1 == len(rows)
    paid = sum((ACME_PRICE.of(reply) for reply in (FIRST, SECOND, LAST)), Decimal(0))
    assert sum(answered) == paid
    # Nobody knows what the call cost that was under way: it counts at the most that it might.
    assert lost > ACME_PRICE.of(faults.stalled().answer)
    tags = {tag["key"]: tag["value"] for tag in running.platform.client.run(run_id)["tags"]}
    assert Decimal(tags["agentflow/cost_usd"]) == paid + lost
