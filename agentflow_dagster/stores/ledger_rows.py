"""The account of calls to models, as its table has it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa

from agentflow_dagster.engine.set_aside import month_of
from agentflow_dagster.stores.encoding import storable
from agentflow_dagster.stores.tables import DIGEST, NAME, REASON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from agentflow_dagster.engine.set_aside import SetAside

_TYPES = {
    **dict.fromkeys(("owner", "run_id", "agent", "version", "node", "provider"), "text"),
    **dict.fromkeys(("model", "state", "reason"), "text"),
    **dict.fromkeys(("number", "attempt"), "bigint"),
    **dict.fromkeys(("tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning"), "bigint"),
    **dict.fromkeys(("cost_usd", "bound_usd", "charged_usd", "run_limit_usd"), "numeric"),
    **dict.fromkeys(("started_at", "ended_at"), "timestamptz"),
    **dict.fromkeys(("latency_ms", "first_token_ms"), "float8"),
    **dict.fromkeys(("parents", "scopes"), "text[]"),
    "counted": "boolean",
    "month": "date",
}
_COLUMNS = ", ".join(_TYPES)
_RECORD = ", ".join(f"{name} {type_}" for name, type_ in _TYPES.items())
_CHANGED = ", ".join(
    f"{name} = excluded.{name}" for name in _TYPES if name not in {"owner", "number"}
)
# A row that has ended is not opened again, where the answer to a commit was lost.
_STORE = sa.text(f"""
INSERT INTO agentflow.model_calls ({_COLUMNS})
SELECT {_COLUMNS} FROM json_to_recordset(CAST(:rows AS json)) AS r({_RECORD})
ON CONFLICT (owner, number) DO UPDATE SET {_CHANGED} WHERE excluded.state <> 'open'""")  # noqa: S608 - constants
_ENDED = sa.text("""
SELECT number, charged_usd FROM agentflow.model_calls
WHERE owner = :owner AND number = ANY(:numbers) AND state <> 'open'""")
_OF_RUNS = sa.text("""
SELECT k.run_id, coalesce(sum(m.charged_usd), 0) AS spent, max(m.run_limit_usd) AS limit_usd
FROM json_to_recordset(CAST(:runs AS json)) AS k(run_id text, first bigint)
LEFT JOIN LATERAL (
  SELECT charged_usd, run_limit_usd FROM agentflow.model_calls
  WHERE run_id = k.run_id AND (owner <> :owner OR number < k.first)
  UNION ALL
  SELECT charged_usd, NULL FROM agentflow.model_calls
  WHERE parents <> '{}' AND parents @> ARRAY[k.run_id] AND run_id <> k.run_id
    AND (owner <> :owner OR number < k.first)
) AS m ON true
GROUP BY k.run_id""")

# Those that count in the budgets of a month end with their process's lease.
_GONE = sa.text("""
UPDATE agentflow.model_calls
SET state = 'lost', ended_at = clock_timestamp(), cost_usd = bound_usd,
    reason = left(concat_ws('; ', nullif(reason, ''), 'its process ended'), 2000)
WHERE run_id = :run_id AND owner <> :owner AND state = 'open' AND scopes = '{}'""")


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call as it is to be stored.

    Args:
        number: Of its ledger.
        run_id: Whose.
        ended: Whether it has ended.
        charged: What it counts for.
        taken: What of this it takes out of a lease: no more than it held.
        month: In which.
        scopes: The budgets of that month that it counts in.
        leased_in: Those among them in whose lease its money still stands.
        text: The row, as JSON.
    """

    number: int
    run_id: str
    ended: bool
    charged: Decimal
    taken: Decimal
    month: date
    scopes: Sequence[str]
    leased_in: Sequence[str]
    text: str


def call_row(
    aside: SetAside, owner: str, scopes: Sequence[str], leased_in: Sequence[str]
) -> CallRow:
    """The row of a call as it stands now."""
    call, caller, usage = aside.call, aside.call.caller, aside.usage
    month = month_of(aside.started_at)
    said: dict[str, object] = {
        "owner": owner,
        "number": aside.number,
        "run_id": _name(caller.run_id),
        "parents": [_name(parent) for parent in caller.parents],
        "agent": _name(caller.agent),
        "version": storable(caller.version)[:DIGEST],
        "node": _name(caller.node),
        "attempt": caller.attempt,
        "provider": _name(usage.provider if usage and usage.provider else call.provider),
        "model": _name(usage.model if usage and usage.model else call.model),
        "started_at": aside.started_at.isoformat(),
        "ended_at": aside.ended_at and aside.ended_at.isoformat(),
        "state": aside.state,
        "tokens_in": usage.tokens_in if usage else 0,
        "tokens_out": usage.tokens_out if usage else 0,
        "tokens_cached": usage.tokens_cached if usage else 0,
        "tokens_reasoning": usage.tokens_reasoning if usage else 0,
        "cost_usd": _money(usage.cost_usd if usage else None),
        "bound_usd": _money(aside.bound_usd),
        "charged_usd": _money(aside.charged_usd),
        "run_limit_usd": _money(caller.per_run_usd),
        "scopes": list(scopes),
        "month": month.isoformat(),
        "latency_ms": usage.latency_ms if usage else None,
        "first_token_ms": usage.first_token_ms if usage else None,
        "counted": usage.counted if usage else False,
        "reason": storable(usage.reason if usage and usage.reason else call.reason)[:REASON],
    }
    return CallRow(
        aside.number,
        caller.run_id,
        ended=aside.state != "open",
        charged=aside.charged_usd,
        taken=min(aside.held_usd, aside.charged_usd),
        month=month,
        scopes=scopes,
        leased_in=leased_in,
        text=json.dumps(said, ensure_ascii=False),
    )


def store(connection: sa.Connection, rows: Sequence[CallRow]) -> None:
    """Writes rows, those too that are there already."""
    if rows:
        connection.execute(_STORE, {"rows": f"[{','.join(row.text for row in rows)}]"})


def ended_before(
    connection: sa.Connection, owner: str, rows: Sequence[CallRow]
) -> Mapping[int, Decimal]:
    """What calls among these count for that have ended in the table: stored by a commit whose
    answer was lost, or ended by whoever took their process for dead."""
    numbers = [row.number for row in rows if row.ended]
    if not numbers:
        return {}
    found = connection.execute(_ENDED, {"owner": owner, "numbers": numbers})
    return {row.number: row.charged_usd for row in found}


def stored_of(
    connection: sa.Connection, owner: str, firsts: Mapping[str, int]
) -> Mapping[str, tuple[Decimal, Decimal | None]]:
    """What the calls of runs and their children count for, and what each run may spend, if it said.

    Args:
        connection: Where.
        owner: The ledger that asks.
        firsts: By run, the first of the ledger's own calls that is left out.
    """
    if not firsts:
        return {}
    names = {_name(run): run for run in firsts}
    runs = json.dumps([{"run_id": name, "first": firsts[run]} for name, run in names.items()])
    found = connection.execute(_OF_RUNS, {"owner": owner, "runs": runs})
    return {names[row.run_id]: (Decimal(row.spent), row.limit_usd) for row in found}


def give_up_open(connection: sa.Connection, owner: str, run_id: str) -> None:
    """Ends the open calls of a run that other ledgers than this one made, as lost."""
    connection.execute(_GONE, {"owner": owner, "run_id": _name(run_id)})


def _name(text: str) -> str:
    return storable(text)[:NAME]


def _money(usd: Decimal | None) -> str | None:
    return None if usd is None or not usd.is_finite() else format(usd, "f")
