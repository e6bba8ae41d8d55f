"""What stands in the tables of budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from agentflow_dagster.stores.engine import transaction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

_BUDGETS = sa.text("""
SELECT b.scope, b.month, b.spent_usd, b.leased_usd,
  (SELECT coalesce(sum(l.amount_usd), 0) FROM agentflow.budget_leases AS l
   WHERE l.scope = b.scope AND l.month = b.month) AS leases,
  (SELECT coalesce(sum(c.charged_usd), 0) FROM agentflow.model_calls AS c
   WHERE b.scope = ANY(c.scopes) AND c.month = b.month AND c.state <> 'open') AS charged,
  (SELECT coalesce(sum(c.charged_usd), 0) FROM agentflow.model_calls AS c
   WHERE b.scope = ANY(c.scopes) AND c.month = b.month AND c.state = 'open') AS open
FROM agentflow.budgets AS b ORDER BY b.scope, b.month""")


def balances(engine: sa.Engine, *, late: bool = False) -> dict[str, tuple[Decimal, Decimal]]:
    """What is spent and leased of each budget of a month; the sums over leases and calls agree.

    Args:
        engine: The database.
        late: Whether there may be open calls that were stored after their lease was taken in.
    """
    with transaction(engine) as connection:
        rows = connection.execute(_BUDGETS).all()
    for row in rows:
        assert row.leased_usd == row.leases, row
        assert row.spent_usd == row.charged, row
        assert late or row.open <= row.leases, row
    return {row.scope: (row.spent_usd, row.leased_usd) for row in rows}


def calls(engine: sa.Engine) -> Sequence[sa.Row[tuple[object, ...]]]:
    """Every call, in order."""
    statement = "SELECT * FROM agentflow.model_calls ORDER BY started_at, owner, number"
    with transaction(engine) as connection:
        return connection.execute(sa.text(statement)).all()
