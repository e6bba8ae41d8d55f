"""The account of calls to models, and budgets, read for whoever asks what was spent."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from agentflow_dagster.stores.engine import transaction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from decimal import Decimal

    import pyarrow as pa

_COLUMNS = {
    **dict.fromkeys(("run_id", "agent", "node", "provider", "model", "state", "day"), "text"),
    **dict.fromkeys(("tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning"), "count"),
    **dict.fromkeys(("cost_usd", "charged_usd", "beyond_usd"), "money"),
}
# Amounts in as many digits as a column of Arrow's has; PostgreSQL's has any number.
_READ = """
COPY (
  SELECT run_id, agent, node, provider, model, state,
    to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day,
    tokens_in, tokens_out, tokens_cached, tokens_reasoning,
    round(cost_usd, 15), round(charged_usd, 15),
    round(CASE WHEN cardinality(scopes) > 0 OR run_limit_usd IS NOT NULL
          THEN greatest(cost_usd - bound_usd, 0) ELSE 0 END, 15)
  FROM agentflow.model_calls
  WHERE (%(since)s IS NULL OR started_at >= %(since)s::timestamptz)
    AND (%(until)s IS NULL OR started_at < %(until)s::timestamptz)
    AND (%(agent)s IS NULL OR replace(agent, '_', '-') = replace(%(agent)s, '_', '-'))
    AND (%(run)s IS NULL OR run_id = %(run)s
         OR (parents <> '{}' AND parents @> ARRAY[%(run)s]::text[]))
) TO STDOUT (FORMAT csv)"""
_COSTS = sa.text("""
SELECT asked.run, sum(calls.cost_usd), bool_and(calls.cost_usd IS NOT NULL)
FROM unnest(CAST(:runs AS text[])) AS asked (run)
JOIN agentflow.model_calls AS calls
  ON calls.run_id = asked.run OR (calls.parents <> '{}' AND calls.parents @> ARRAY[asked.run])
WHERE calls.state <> 'open' GROUP BY asked.run""")
_BUDGETS = sa.text("""
SELECT b.scope, b.month, b.limit_usd, b.spent_usd, b.leased_usd,
  (SELECT array_agg(a.percent ORDER BY a.percent) FROM agentflow.budget_alerts AS a
   WHERE a.scope = b.scope AND a.month = b.month) AS alerts
FROM agentflow.budgets AS b WHERE b.month = :month ORDER BY b.scope""")


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget of a month, as it stands.

    Args:
        scope: `agent/NAME` or `workspace`.
        month: Its first day.
        limit_usd: As it was last said.
        spent_usd: What calls that have ended count for.
        leased_usd: What processes hold to spend, open calls among it.
        alerts: What was told, in percent.
    """

    scope: str
    month: date
    limit_usd: Decimal
    spent_usd: Decimal
    leased_usd: Decimal
    alerts: Sequence[int]

    @property
    def left_usd(self) -> Decimal:
        """What is neither spent nor leased."""
        return max(self.limit_usd - self.spent_usd - self.leased_usd, self.limit_usd * 0)


class Account:
    """Reads what calls to models took."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def calls(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        agent: str | None = None,
        run: str | None = None,
    ) -> pa.Table:
        """A row for each call.

        Args:
            since, until: Only those that began from the one and before the other.
            agent: Only its own, named with `-` or `_`.
            run: Only its own, and those of its children.

        Returns:
            Columns `run_id, agent, node, provider, model, state, day` (text), `tokens_in,
            tokens_out, tokens_cached, tokens_reasoning`, and in USD `cost_usd` (null where no price
            is known), `charged_usd`, `beyond_usd` (what it cost more than it was granted).

        Raises:
            StoreError: the database cannot be reached.
        """
        given = {"since": since, "until": until, "agent": agent, "run": run}
        buffer = BytesIO()
        with transaction(self._engine) as connection:
            # A driver's own: SQLAlchemy has no COPY, and rows one by one take ten times as long.
            cursor = cast("Any", connection.connection.cursor())
            cursor.copy_expert(cursor.mogrify(_READ, given), buffer)
        return _table(buffer)

    def costs(self, runs: Sequence[str]) -> Mapping[str, float | None]:
        """USD of each run with its children, as far as calls have ended; None where a price is not
        known.

        Raises:
            StoreError: the database cannot be reached.
        """
        with transaction(self._engine) as connection:
            found = {
                run: (cost, priced)
                for run, cost, priced in connection.execute(_COSTS, {"runs": [*runs]}).tuples()
            }
        return {
            run: float(cost) if priced else None
            for run in runs
            for cost, priced in [found.get(run, (0, True))]
        }

    def budgets(self, month: date) -> list[BudgetState]:
        """The budgets of a month, by their names.

        Raises:
            StoreError: the database cannot be reached.
        """
        with transaction(self._engine) as connection:
            rows = connection.execute(_BUDGETS, {"month": month}).all()
        return [
            BudgetState(
                row.scope,
                row.month,
                limit_usd=row.limit_usd,
                spent_usd=row.spent_usd,
                leased_usd=row.leased_usd,
                alerts=tuple(row.alerts or ()),
            )
            for row in rows
        ]


def _table(buffer: BytesIO) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    types = {"text": pa.string(), "count": pa.int64(), "money": pa.decimal128(38, 15)}
    schema = {name: types[kind] for name, kind in _COLUMNS.items()}
    if not buffer.tell():
        return pa.table({name: pa.array([], type_) for name, type_ in schema.items()})
    buffer.seek(0)
    return csv.read_csv(
        buffer,
        read_options=csv.ReadOptions(column_names=list(schema)),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=schema, null_values=[""], quoted_strings_can_be_null=False
        ),
    )
