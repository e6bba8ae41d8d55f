"""`costs` against a database, with nothing running."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.ledger import PostgresLedger
from tests.support.model_calls import planned, used

if TYPE_CHECKING:
    from tests.cli.conftest import Project


async def spend(url: str) -> None:
    engine = create_engine(url)
    ledger = PostgresLedger(engine)
    for cost in ("0.30", "0.35"):
        call = planned("0.40", monthly="1", run=f"run-{cost}")
        (await ledger.reserve(call)).settle(used(cost))
    (await ledger.reserve(planned(None, agent="unpriced"))).settle(used(None))
    await ledger.flush()
    await asyncio.to_thread(ledger.close)
    engine.dispose()


def test_what_was_spent(project: Project, database_url: str) -> None:
    assert project.call("costs").stdout == "No calls to models.\n"
    assert "No budget" in project.call("costs", "--budgets").stdout
    asyncio.run(spend(database_url))
    lines = [line.split() for line in project.call("costs", "--by", "agent").stdout.splitlines()]
    assert ["triage", "2", "20", "10", "2", "-", "$0.650000"] in lines
    assert ["unpriced", "1", "10", "5", "1", "-", "price", "not", "known"] in lines
    assert lines[-1] == ["Calls", "whose", "price", "is", "not", "known:", "1."]
    told = json.loads(project.call("costs", "--by", "run", "--since", "1h", "--json").stdout)
    assert [(one["key"], one["cost_usd"]) for one in told["costs"]] == [
        ("run-0.35", "0.35"),
        ("run-0.30", "0.3"),
        ("run", None),
    ]
    assert (told["total"]["cost_usd"], told["total"]["unpriced"]) == ("0.65", 1)
    shown = project.call("costs", "--budgets").stdout
    assert "█████████████░░░░░░░ 65 %" in shown
    (budget,) = json.loads(project.call("costs", "--budgets", "--json").stdout)["budgets"]
    assert (budget["budget"], budget["left_usd"], budget["alerts"]) == (
        "agent/triage",
        "0.35",
        [50],
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--since", "soon"], "is no time"),
        (["--month", "2026-11"], "goes with --budgets"),
        (["--budgets", "--agent", "x"], "whole month"),
        (["--budgets", "--month", "11"], "is no month"),
        (["--by", "mood"], "mood"),
    ],
)
def test_what_cannot_be_asked(shared: Project, given: list[str], said: str) -> None:
    done = shared.call("costs", *given)
    assert done.returncode == 2
    assert said in done.stderr
