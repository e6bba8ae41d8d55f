"""What was spent, added up from the account of calls in PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations import costs as operation
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.stores import (
    MONTHLY_VARIABLE,
    project_stores,
    workspace_monthly_usd,
)
from agentflow_dagster.stores.database_url import VARIABLE
from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.ledger import PostgresLedger
from tests.support.model_calls import planned, used

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


@pytest.fixture
def project(database_url: str, tmp_path: Path) -> Project:
    return Project(tmp_path, tmp_path / "home", variables={VARIABLE: database_url})


@pytest.fixture
def account(database_url: str) -> None:
    """Calls of two agents over two days; one of each kind that is to be told apart."""
    asyncio.run(spend(database_url))


async def spend(url: str) -> None:
    engine = create_engine(url)
    now = NOW
    ledger = PostgresLedger(engine, now=lambda: now, on_overrun=lambda _: None)

    async def call(cost: str | None, outcome: Any = "answered", **options: Any) -> None:
        reservation = await ledger.reserve(planned(**options))
        usage = used(cost)
        if options.get("model"):
            usage = replace(usage, model=options["model"])
        reservation.settle(usage, outcome)

    await call("0.10", run="1", monthly="5")
    await call("0.000000123456", run="1", node="sum")
    await call("0.50", run="child", parents=["1"], monthly="5")  # granted 0.10
    await call(None, run="2", agent="other_one", model="mystery")
    await call("0", "kept", run="2", agent="other_one")
    await call("0.02", "lost", run="2", agent="other_one")
    now = NOW + timedelta(hours=1)
    await call(None, "refused", run="3")
    await ledger.reserve(planned("0.30", run="3", monthly="5"))
    await ledger.flush()
    await asyncio.to_thread(ledger.close)
    engine.dispose()


@pytest.mark.usefixtures("account")
def test_costs_by_agent(project: Project) -> None:
    found = operation.costs(project, since=NOW - timedelta(days=1))
    assert [(one.key, one.calls, one.cost_usd, one.unpriced) for one in found.sums] == [
        ("triage", 5, Decimal("0.600000123456"), 0),
        ("other_one", 3, Decimal("0.02"), 1),
    ]
    total = found.total
    assert (total.calls, total.kept, total.lost, total.open) == (8, 1, 1, 1)
    assert (total.open_usd, total.beyond_usd) == (Decimal("0.30"), Decimal("0.40"))
    assert (total.tokens_in, total.tokens_out, total.tokens_cached) == (70, 35, 7)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("node", ["triage/draft", "other_one/draft", "triage/sum"]),
        ("provider", ["openai"]),
        ("model", ["openai/gpt-4o-mini", "openai/mystery"]),
        ("day", ["2026-11-21", "2026-11-22"]),
        ("run", ["child", "1", "2", "3"]),
    ],
)
def test_other_ways_to_add_up(project: Project, by: Any, keys: list[str]) -> None:
    found = operation.costs(project, by=by, since=NOW - timedelta(days=1))
    assert [one.key for one in found.sums] == keys
    assert sum(one.calls for one in found.sums) == found.total.calls == 8
    assert sum(one.cost_usd for one in found.sums) == found.total.cost_usd


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("asked", "calls"),
    [
        ({"run": "1"}, 3),  # its child's, too
        ({"run": "child"}, 1),
        ({"agent": "other-one", "since": NOW}, 3),
        ({"since": NOW + timedelta(minutes=1), "until": NOW + timedelta(days=1)}, 2),
        ({"until": NOW + timedelta(minutes=1)}, 6),
        ({"until": NOW}, 0),
        ({"until": NOW + timedelta(days=40)}, 0),
    ],
)
def test_some_of_them(project: Project, asked: Any, calls: int) -> None:
    found = operation.costs(project, **asked)
    assert found.total.calls == calls
    assert sum(one.calls for one in found.sums) == calls


def test_nothing_was_spent(project: Project) -> None:
    found = operation.costs(project)
    assert (list(found.sums), found.total.calls, found.total.cost_usd) == ([], 0, 0)
    assert operation.budgets(project) == []


def test_a_time_that_ends_before_it_begins(project: Project) -> None:
    with pytest.raises(UsageError, match="not later"):
        operation.costs(project, since=NOW, until=NOW)


@pytest.mark.usefixtures("account")
def test_what_is_said_of_them() -> None:
    """Nothing that is not known is shown as 0."""
    one = operation.Sum("a", 3, 1, 0, 0, 0, Decimal(0), 3, 0, 0, 0, Decimal(0), Decimal(0))
    assert operation.cells(one) == ["a", "3", "1", "-", "-", "-", "price not known"]
    assert one.to_json()["cost_usd"] is None
    some = replace(one, unpriced=1, cost_usd=Decimal("1234.5"), kept=2)
    assert operation.cells(some)[-1] == "$1,234.500000 + 1 not known"
    assert operation.notes(some) == [
        "Calls whose price is not known: 1.",
        "Answered from before, at no cost: 2.",
    ]


@pytest.mark.usefixtures("account")
def test_budgets_of_a_month(project: Project) -> None:
    (budget,) = operation.budgets(project, NOW.date())
    assert operation.budget_json(budget) == {
        "budget": "agent/triage",
        "month": "2026-11",
        "limit_usd": "5",
        "spent_usd": "0.6",
        "leased_usd": "0.3",
        "left_usd": "4.1",
        "alerts": [],
    }
    assert operation.budgets(project, operation.month_named("2026-10")) == []
    with pytest.raises(UsageError, match="no month"):
        operation.month_named("November")


@pytest.mark.parametrize(
    ("said", "limit"), [("", None), (" ", None), ("250", 250), ("99.50", Decimal("99.5")), ("0", 0)]
)
def test_what_the_workspace_may_spend(tmp_path: Path, said: str, limit: Any) -> None:
    project = Project(tmp_path, tmp_path, variables={MONTHLY_VARIABLE: said})
    assert workspace_monthly_usd(project) == limit


@pytest.mark.parametrize("said", ["-1", "1e3", "a lot", "NaN", "٩", "1,5"])
def test_what_is_no_amount(tmp_path: Path, said: str) -> None:
    project = Project(tmp_path, tmp_path, variables={MONTHLY_VARIABLE: said})
    with pytest.raises(UsageError, match=MONTHLY_VARIABLE):
        workspace_monthly_usd(project)


def test_a_projects_ledger_has_its_limit(project: Project) -> None:
    limited = replace(project, variables={**project.variables, MONTHLY_VARIABLE: "0.05"})

    async def granted() -> object:
        with project_stores(limited) as stores:
            return (await stores.ledger.reserve(planned())).granted_usd

    assert asyncio.run(granted()) == Decimal("0.05")
