"""What calls to models cost, added up by DuckDB, and how the budgets of a month stand."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, get_args

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.stores import project_stores

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.stores.account import BudgetState

By = Literal["agent", "node", "provider", "model", "day", "run"]
WAYS: tuple[By, ...] = get_args(By)
_KEYS: dict[By, str] = {
    "agent": "agent",
    "node": "agent || '/' || node",
    "provider": "provider",
    "model": "provider || '/' || model",
    "day": "day",
    "run": "run_id",
}
# A call that was refused has no cost; one that is open has none yet.
_UNPRICED = "count(*) FILTER (cost_usd IS NULL AND state NOT IN ('open', 'refused', 'kept'))"
_SUMS = f"""
count(*) AS calls, coalesce(sum(tokens_in), 0), coalesce(sum(tokens_out), 0),
coalesce(sum(tokens_cached), 0), coalesce(sum(tokens_reasoning), 0),
coalesce(sum(cost_usd) FILTER (state <> 'open'), 0) AS cost_usd, {_UNPRICED},
count(*) FILTER (state = 'kept'), count(*) FILTER (state = 'lost'),
count(*) FILTER (state = 'open'), coalesce(sum(charged_usd) FILTER (state = 'open'), 0),
coalesce(sum(beyond_usd), 0)"""
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": "2",
    "memory_limit": "1GB",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "enable_external_access": "false",
}
_DAYS = 30


@dataclass(frozen=True, slots=True)
class Sum:
    """What some calls took.

    Args:
        key: What they have in common: an agent's name, a day; "" is all of them.
        calls: How many, refused and kept ones among them.
        cost_usd: What those cost whose price is known.
        unpriced: How many were billed at a price that is not known.
        kept: How many were answered from before, at no cost.
        lost: How many are counted at what they might have cost.
        open: How many have not ended, or died with their process.
        open_usd: What these may cost.
        beyond_usd: What was billed beyond what had been granted.
    """

    key: str
    calls: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    tokens_reasoning: int
    cost_usd: Decimal
    unpriced: int
    kept: int
    lost: int
    open: int
    open_usd: Decimal
    beyond_usd: Decimal

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints; amounts are text, so that they stay exact. `cost_usd` is
        null where no price was known."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        exact = {n: plain(v) if isinstance(v, Decimal) else v for n, v in told.items()}
        return exact | ({"cost_usd": None} if self.unpriced and not self.cost_usd else {})


@dataclass(frozen=True, slots=True)
class Costs:
    """Sums over a time, the dearest first; days in their order."""

    by: By
    since: datetime | None
    until: datetime | None
    sums: Sequence[Sum]
    total: Sum

    def to_json(self) -> JsonObject:
        """What `--json` prints."""
        return {
            "by": self.by,
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
            "costs": [one.to_json() for one in self.sums],
            "total": self.total.to_json(),
        }


def costs(
    project: Project,
    *,
    by: By = "agent",
    since: datetime | None = None,
    until: datetime | None = None,
    agent: str | None = None,
    run: str | None = None,
) -> Costs:
    """What calls to models took.

    Args:
        project: Whose.
        by: What is added up.
        since: Only calls that began then or later; None begins 30 days ago, and with a run at its
            beginning.
        until: Only those that began before.
        agent: Only its own calls.
        run: Only its own and its children's.

    Raises:
        UsageError: the time ends before it begins.
        StoreError: the database cannot be reached.
    """
    if since is None and run is None:
        since = (until or datetime.now(UTC)) - timedelta(days=_DAYS)
    if since is not None and until is not None and until <= since:
        raise UsageError("--until is not later than --since.")
    with project_stores(project) as stores:
        table = stores.account.calls(since=since, until=until, agent=agent, run=run)
    sums = sums_of(table, by)
    total = _asked(table, f"SELECT '', {_SUMS} FROM calls")  # noqa: S608 - constants
    return Costs(by, since, until, sums, total[0])


def sums_of(calls: pa.Table, by: By) -> list[Sum]:
    """Calls, as `Account.calls` gives them, added up."""
    order = "1" if by == "day" else "cost_usd DESC NULLS LAST, calls DESC, 1"
    return _asked(
        calls,
        f"SELECT {_KEYS[by]}, {_SUMS} FROM calls GROUP BY 1 ORDER BY {order}",  # noqa: S608 - constants
    )


def costs_of_runs(project: Project, agent: str, since: datetime) -> dict[str, Sum]:
    """What runs of an agent took with their own calls since then, by their ids; those that made
    none are left out.

    Raises:
        StoreError: the database cannot be reached.
    """
    return {one.key: one for one in costs(project, by="run", agent=agent, since=since).sums}


def budgets(project: Project, month: date | None = None) -> list[BudgetState]:
    """The budgets of a month, by default this one's.

    Raises:
        StoreError: the database cannot be reached.
    """
    with project_stores(project) as stores:
        return stores.account.budgets((month or datetime.now(UTC).date()).replace(day=1))


def budget_json(budget: BudgetState) -> JsonObject:
    """What `--json` prints of one."""
    return {
        "budget": budget.scope,
        "month": f"{budget.month:%Y-%m}",
        "limit_usd": plain(budget.limit_usd),
        "spent_usd": plain(budget.spent_usd),
        "leased_usd": plain(budget.leased_usd),
        "left_usd": plain(budget.left_usd),
        "alerts": list(budget.alerts),
    }


def cells(one: Sum) -> list[str]:
    """A line of a table: what it is of, calls, tokens, cost."""
    tokens = (one.tokens_in, one.tokens_out, one.tokens_cached, one.tokens_reasoning)
    cost = f"${one.cost_usd:,.6f}"
    if one.unpriced:
        known = one.cost_usd or one.calls > one.unpriced
        cost = f"{cost} + {one.unpriced} not known" if known else "price not known"
    return [one.key, f"{one.calls:,}", *(f"{count:,}" if count else "-" for count in tokens), cost]


def notes(total: Sum) -> list[str]:
    """What is to be said beside the sums."""
    told = (
        (total.unpriced, f"Calls whose price is not known: {total.unpriced:,}."),
        (total.kept, f"Answered from before, at no cost: {total.kept:,}."),
        (total.lost, f"Counted at what they might have cost, since nobody knows: {total.lost:,}."),
        (total.open, f"Not ended: {total.open:,}, which may cost ${total.open_usd:,.6f}."),
        (total.beyond_usd, f"Billed beyond what was granted: ${total.beyond_usd:,.6f}."),
    )
    return [text for count, text in told if count]


def month_named(text: str) -> date:
    """The first day of a month: `2026-11`.

    Raises:
        UsageError: it is none.
    """
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        raise UsageError(f"{text!r} is no month.", hint="Write 2026-11.") from None


def plain(amount: Decimal) -> str:
    """All of its digits, and no more: `0.0125`."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _asked(calls: pa.Table, query: str) -> list[Sum]:
    """What DuckDB answers, which reaches nothing but these calls."""
    import duckdb

    with duckdb.connect(":memory:", config=_SETTINGS) as connection:
        connection.register("calls", calls)
        rows: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return [Sum(*row) for row in rows]
