"""Alerts of budgets stand on the run whose call crossed the threshold, in both lanes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.orchestration.names import ALERT_TAG
from agentflow_dagster.ports.ledger import PlannedCall
from agentflow_dagster.ports.model import ModelReply, Usage
from tests.orchestration import lane
from tests.orchestration.samples import agent
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.stores.ledger import PostgresLedger
    from tests.orchestration.bench import Bench, Ran

NODES = """
    cheap: {kind: ai.chat, with: {prompt: "0.10"}}
    dear: {kind: ai.chat, after: [cheap], with: {prompt: "0.75"}}
"""


@dataclass(frozen=True)
class ChargedModel:
    """Charges what it is asked to."""

    ledger: PostgresLedger

    async def complete(self, request: ModelRequest, listener: object = None) -> ModelReply:
        assert request.caller is not None
        cost = Decimal(request.messages[-1].content)
        planned = PlannedCall(request.caller, "acme", "one", least_usd=cost, most_usd=cost)
        usage = Usage(7, 3, cost, 12.5, "one", "acme")
        (await self.ledger.reserve(planned)).settle(usage, "answered")
        return ModelReply("Well.", None, usage)


def tagged(bench: Bench, run_id: str, wanted: str) -> Ran:
    """The run, once its tag says this."""

    def found() -> list[Ran]:
        ran = bench.ran(run_id)
        return [ran] if ran.run.tags.get(ALERT_TAG) == wanted else []

    return wait_until(found)[0]


@pytest.mark.parametrize("engine", [False, True], ids=["process", "engine"])
def test_an_alert_is_on_its_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, engine: bool
) -> None:
    name = f"alerts-{'engine' if engine else 'process'}"
    bench.serve(agent(name, NODES, more="budget: {monthlyUsd: 1}"))
    model: Any = ChargedModel(bench.stores.ledger)
    monkeypatch.setattr(bench, "model", model)
    first: Ran = lane.run(bench, name) if engine else bench.run(name)
    assert first.status == "SUCCESS"
    scope = f"agent/{name}"
    ran = tagged(bench, first.run_id, f"{scope} 50 %, {scope} 80 %")
    assert f"50 % of the budget {scope} for" in ran.told()
    assert f"80 % of the budget {scope} for" in ran.told()
    assert ran.run.tags["agentflow/cost_usd"] == "0.85"

    # Told once: the next run has nothing to say until all is spent, and what is refused says so.
    again: Ran = lane.run(bench, name) if engine else bench.run(name)
    assert again.status == "FAILURE"
    ran = tagged(bench, again.run_id, f"{scope} 100 %")
    assert "Calls are refused" in ran.told()
