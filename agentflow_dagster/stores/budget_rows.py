"""Budgets and their leases, as their tables have them.

Whoever changes a lease, or what is spent of a budget, holds the lock of the budget's row; those of
several are taken in the order of their names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from agentflow_dagster.engine.budget_alerts import reached
from agentflow_dagster.engine.budgets import ZERO
from agentflow_dagster.ports.ledger import Alert
from agentflow_dagster.stores import ledger_rows
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.purse import slice_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from agentflow_dagster.stores.ledger_rows import CallRow

_LOCK = sa.text("""
INSERT INTO agentflow.budgets AS b (scope, month, limit_usd)
SELECT scope, month, limit_usd
FROM json_to_recordset(CAST(:orders AS json)) AS o(scope text, month date, limit_usd numeric)
ORDER BY scope, month
ON CONFLICT (scope, month) DO UPDATE SET limit_usd = excluded.limit_usd
RETURNING scope, month, spent_usd, leased_usd""")
_OWN = sa.text("SELECT scope, month, amount_usd FROM agentflow.budget_leases WHERE owner = :owner")
_CHANGE = """
WITH given AS (
  SELECT * FROM json_to_recordset(CAST(:changes AS json))
    AS g(scope text, month date, spent numeric, leased numeric, amount numeric)),
changed AS (
  UPDATE agentflow.budgets AS b
  SET spent_usd = b.spent_usd + g.spent, leased_usd = b.leased_usd + g.leased
  FROM given AS g WHERE b.scope = g.scope AND b.month = g.month
    AND (g.spent <> 0 OR g.leased <> 0)),
dropped AS (
  DELETE FROM agentflow.budget_leases AS l USING given AS g
  WHERE l.owner = :owner AND l.scope = g.scope AND l.month = g.month AND g.amount = 0)
INSERT INTO agentflow.budget_leases (owner, scope, month, amount_usd, expires_at)
SELECT :owner, scope, month, amount, clock_timestamp() + :seconds * interval '1 second'
FROM given WHERE amount <> 0
ON CONFLICT (owner, scope, month)
DO UPDATE SET amount_usd = excluded.amount_usd, expires_at = excluded.expires_at"""
_CHANGE_ALL = sa.text(_CHANGE)
_TELL = sa.text("""
INSERT INTO agentflow.budget_alerts (scope, month, percent, spent_usd, limit_usd, run_id)
SELECT scope, month, percent, spent_usd, limit_usd, run_id
FROM json_to_recordset(CAST(:alerts AS json)) AS a(scope text, month date, percent integer,
  spent_usd numeric, limit_usd numeric, run_id text)
ON CONFLICT DO NOTHING RETURNING scope, month, percent, spent_usd, limit_usd, run_id""")
_EXPIRED = sa.text("""
SELECT owner FROM agentflow.budget_leases WHERE owner <> :owner
GROUP BY owner HAVING max(expires_at) < clock_timestamp()""")
_LOCK_OF = sa.text("""
SELECT 1 FROM agentflow.budgets AS b
WHERE EXISTS (SELECT 1 FROM agentflow.budget_leases AS l
              WHERE l.owner = :owner AND l.scope = b.scope AND l.month = b.month)
ORDER BY b.scope, b.month FOR UPDATE OF b""")
_IS_EXPIRED = sa.text("""
SELECT max(expires_at) < clock_timestamp() FROM agentflow.budget_leases WHERE owner = :owner""")
_TAKE_IN = sa.text("""
WITH lost AS (
  UPDATE agentflow.model_calls
  SET state = 'lost', ended_at = clock_timestamp(), cost_usd = bound_usd,
      reason = left(concat_ws('; ', nullif(reason, ''), 'its process ended'), 2000)
  WHERE owner = :owner AND state = 'open' RETURNING scopes, month, charged_usd),
spent AS (
  SELECT scope, month, sum(charged_usd) AS usd FROM lost, unnest(scopes) AS scope
  GROUP BY scope, month),
gone AS (
  DELETE FROM agentflow.budget_leases WHERE owner = :owner RETURNING scope, month, amount_usd)
UPDATE agentflow.budgets AS b
SET leased_usd = b.leased_usd - g.amount_usd, spent_usd = b.spent_usd + coalesce(s.usd, 0)
FROM gone AS g LEFT JOIN spent AS s ON s.scope = g.scope AND s.month = g.month
WHERE b.scope = g.scope AND b.month = g.month""")


class BudgetKey(NamedTuple):
    """Names a budget of a month."""

    scope: str
    month: date


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to one lease.

    Args:
        key: Of which budget.
        limit: What may be spent of it.
        asked: USD that calls wait for.
        largest: The most that one of them asks for.
        give: USD to give back.
        expected: What the lease should hold, had every call been stored that has ended.
        refused_by: A run whose call was refused.
        told: Alerts that are told.
    """

    key: BudgetKey
    limit: Decimal
    asked: Decimal = ZERO
    largest: Decimal = ZERO
    give: Decimal = ZERO
    expected: Decimal = ZERO
    refused_by: str = ""
    told: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Answer:
    """How a lease stands now.

    Args:
        amount: USD of it.
        left: What is left of the budget, unleased.
        exhausted: Whether less was given than was asked for.
        gone: Whether it had been taken in, since it was not renewed in time.
    """

    amount: Decimal
    left: Decimal
    exhausted: bool
    gone: bool


def carry_out(
    connection: sa.Connection,
    owner: str,
    orders: Sequence[Order],
    rows: Sequence[CallRow],
    *,
    seconds: float,
) -> tuple[Mapping[BudgetKey, Answer], Sequence[Alert]]:
    """Stores calls and what they count for, and changes leases; the alerts that this made due.

    Args:
        connection: A transaction.
        owner: Whose leases and calls.
        orders: One for each budget that the ended calls count in, and for others.
        rows: Calls.
        seconds: How long the leases hold from now on.
    """
    if not orders:
        ledger_rows.store(connection, rows)
        return {}, ()
    stand = _locked(connection, orders)
    own = {
        BudgetKey(row.scope, row.month): row.amount_usd
        for row in connection.execute(_OWN, {"owner": owner})
    }
    before = ledger_rows.ended_before(connection, owner, rows)
    ledger_rows.store(connection, rows)
    spent, taken, runs = _sums(rows, before)
    answers: dict[BudgetKey, Answer] = {}
    changes: list[dict[str, str]] = []
    due: list[Alert] = []
    for order in orders:
        key = order.key
        spent_before, leased_before = stand[key]
        had = own.get(key, ZERO)
        kept = max(had - taken.get(key, ZERO) - order.give, ZERO)
        spent_now = spent_before + spent.get(key, ZERO)
        left = order.limit - spent_now - (leased_before - had + kept)
        gets = slice_of(left, order.asked, order.largest)
        amount = kept + gets
        gone = key not in own and order.expected > 0
        answers[key] = Answer(amount, max(left - gets, ZERO), gets < order.asked, gone)
        changes.append(
            {
                **_named(key),
                "spent": format(spent_now - spent_before, "f"),
                "leased": format(amount - had, "f"),
                "amount": format(amount, "f"),
            }
        )
        due += _due(order, spent_now, runs.get(key, order.refused_by))
    given = {"owner": owner, "changes": json.dumps(changes), "seconds": seconds}
    connection.execute(_CHANGE_ALL, given)
    return answers, _told(connection, due)


def expired(connection: sa.Connection, owner: str) -> list[str]:
    """The owners, but this one, that have not renewed their leases in time."""
    return list(connection.scalars(_EXPIRED, {"owner": owner}))


def take_in(engine: sa.Engine, owner: str) -> None:
    """Ends the leases of an owner that has not renewed them: what its rows say is spent, or may be,
    is spent; the rest is free."""
    given = {"owner": owner}
    with transaction(engine) as connection:
        connection.execute(_LOCK_OF, given)
        if connection.scalar(_IS_EXPIRED, given):
            connection.execute(_TAKE_IN, given)


def _locked(
    connection: sa.Connection, orders: Sequence[Order]
) -> dict[BudgetKey, tuple[Decimal, Decimal]]:
    """What is spent and leased of each budget, whose row nobody else changes now."""
    said = [{**_named(order.key), "limit_usd": format(order.limit, "f")} for order in orders]
    found = connection.execute(_LOCK, {"orders": json.dumps(said)})
    return {BudgetKey(row.scope, row.month): (row.spent_usd, row.leased_usd) for row in found}


def _sums(
    rows: Sequence[CallRow], before: Mapping[int, Decimal]
) -> tuple[dict[BudgetKey, Decimal], dict[BudgetKey, Decimal], dict[BudgetKey, str]]:
    """By budget: what is spent more, what of it comes out of the lease, and a run that spent it."""
    spent: dict[BudgetKey, Decimal] = {}
    taken: dict[BudgetKey, Decimal] = {}
    runs: dict[BudgetKey, str] = {}
    for row in rows:
        if not row.ended:
            continue
        for scope in row.scopes:
            key = BudgetKey(scope, row.month)
            more = row.charged - before.get(row.number, ZERO)
            spent[key] = spent.get(key, ZERO) + more
            if row.number not in before and scope in row.leased_in:
                taken[key] = taken.get(key, ZERO) + row.taken
            if more:
                runs[key] = row.run_id
    return spent, taken, runs


def _due(order: Order, spent: Decimal, run_id: str) -> list[Alert]:
    percents = {*reached(spent, order.limit), *((100,) if order.refused_by else ())}
    return [
        Alert(*order.key, percent, spent, order.limit, run_id)
        for percent in sorted(percents - order.told)
    ]


def _told(connection: sa.Connection, due: Sequence[Alert]) -> list[Alert]:
    """Notes alerts; those that nobody had noted."""
    if not due:
        return []
    said = [
        {
            **_named(BudgetKey(alert.scope, alert.month)),
            "percent": alert.percent,
            "spent_usd": format(alert.spent_usd, "f"),
            "limit_usd": format(alert.limit_usd, "f"),
            "run_id": alert.run_id,
        }
        for alert in due
    ]
    found = connection.execute(_TELL, {"alerts": json.dumps(said)}).all()
    return [Alert(*row) for row in found]


def _named(key: BudgetKey) -> dict[str, str]:
    return {"scope": key.scope, "month": key.month.isoformat()}
