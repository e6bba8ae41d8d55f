"""`agentflow costs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from agentflow_dagster.operations.costs import By, Costs
    from agentflow_dagster.stores.account import BudgetState

_WAYS = ("agent", "node", "provider", "model", "day", "run")
_BAR = 20


@click.command("costs")
@click.option("--by", type=click.Choice(_WAYS), default="agent", show_default=True)
@click.option(
    "--since", metavar="TIME", help="From then on: 12h, 7d, 2026-11-01. Otherwise the last 30 days."
)
@click.option("--until", metavar="TIME", help="Before then.")
@click.option("--agent", metavar="NAME", help="Of one agent.")
@click.option("--run", metavar="RUN", help="Of one run and its children, from its beginning.")
@click.option("--budgets", is_flag=True, help="How the budgets of a month stand instead.")
@click.option(
    "--month", metavar="MONTH", help="Which, with --budgets: 2026-11. Otherwise this one."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    by: By,
    since: str | None,
    until: str | None,
    agent: str | None,
    run: str | None,
    budgets: bool,
    month: str | None,
    as_json: bool,
) -> None:
    """Say what calls to models took and cost, and how budgets stand.

    A price that is not known is counted as such, and never as 0.

    \b
    Examples:
      agentflow costs --by model --since 7d
      agentflow costs --run 69eb2ea5-8898-4e25-8ba2-855a2875bbaf --by node
      agentflow costs --budgets
    """
    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.errors import UsageError
    from agentflow_dagster.operations import costs as operation

    if budgets:
        if since or until or agent or run:
            raise UsageError("--budgets are of a whole month.", hint="Say which: --month 2026-11.")
        which = operation.month_named(month) if month else None
        stand = operation.budgets(current_project(), which)
        if as_json:
            print_json({"budgets": [operation.budget_json(one) for one in stand]})
        else:
            _print_budgets(stand)
        return
    if month:
        raise UsageError("--month goes with --budgets.", hint="Say --since and --until.")
    found = operation.costs(
        current_project(), by=by, since=_time(since), until=_time(until), agent=agent, run=run
    )
    if as_json:
        print_json(found.to_json())
    else:
        _print_costs(found)


def _time(said: str | None) -> datetime | None:
    from datetime import UTC, datetime

    from agentflow_dagster.operations.live_view import moment

    return None if said is None else datetime.fromtimestamp(moment(said), UTC)


def _print_costs(found: Costs) -> None:
    from agentflow_dagster.cli.output import print_table
    from agentflow_dagster.operations.costs import cells, notes

    if not found.sums:
        click.echo("No calls to models.")
        return
    rows = [cells(one) for one in found.sums]
    if len(found.sums) > 1:
        rows.append(["all", *cells(found.total)[1:]])
    columns = [found.by, ">calls", ">in", ">out", ">cached", ">reasoning", ">cost"]
    print_table(f"Calls to models by {found.by}", columns, rows)
    for note in notes(found.total):
        click.echo(note)


def _print_budgets(stand: Sequence[BudgetState]) -> None:
    from agentflow_dagster.cli.output import print_table
    from agentflow_dagster.operations.costs import plain

    if not stand:
        click.echo("No budget was used in this month.")
        return
    print_table(
        f"Budgets of {stand[0].month:%Y-%m}, in USD",
        ["budget", ">limit", ">spent", ">held", ">left", "", "told"],
        [
            [
                one.scope,
                plain(one.limit_usd),
                plain(one.spent_usd),
                plain(one.leased_usd),
                plain(one.left_usd),
                _bar(one),
                ", ".join(f"{percent} %" for percent in one.alerts) or "-",
            ]
            for one in stand
        ],
    )


def _bar(budget: BudgetState) -> str:
    """What is spent, what is held, what is left: `█████▒▒░░░ 52 %`."""
    limit = budget.limit_usd or 1
    spent = min(int(budget.spent_usd * _BAR / limit), _BAR)
    held = min(int(budget.leased_usd * _BAR / limit), _BAR - spent)
    share = int(budget.spent_usd * 100 / limit)
    return f"{'█' * spent}{'▒' * held}{'░' * (_BAR - spent - held)} {share} %"
