"""`agentflow live-view`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agentflow_dagster.ports.live_events import RunEnd

_STATUS: dict[RunEnd, int] = {"succeeded": 0, "failed": 1, "canceled": 3}


@click.command("live-view")
@click.argument("target", metavar="[RUN|AGENT]", required=False)
@click.option("--since", metavar="TIME", help="Begin in the past: 10m, 2h, or 2026-01-31T09:00.")
@click.option("--after", metavar="ID", type=click.IntRange(0), help="Begin behind that event.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def command(target: str | None, since: str | None, after: int | None, as_json: bool) -> int:
    """Follow runs while they happen: all, one agent's, or one run until it ends.

    Each change is a line, told as soon as it is committed. One run is told from its beginning, and
    the exit status says how it ended: 0 succeeded, 1 failed, 3 canceled. Ctrl-C ends the rest.

    \b
    Examples:
      agentflow live-view
      agentflow live-view support-triage --since 10m
      agentflow live-view 69eb2ea5-8898-4e25-8ba2-855a2875bbaf --json
    """
    import asyncio

    from agentflow_dagster.cli.context import current_project
    from agentflow_dagster.cli.interrupt import stopped_cleanly
    from agentflow_dagster.cli.live_lines import LiveLines
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.errors import UsageError
    from agentflow_dagster.operations.live_view import live_view, moment

    if since is not None and after is not None:
        raise UsageError("Say --since or --after, not both.")
    project, lines = current_project(), LiveLines()
    with stopped_cleanly():
        ended = asyncio.run(
            live_view(
                project,
                target,
                (lambda event: print_json(event.to_json(), indent=None)) if as_json else lines.tell,
                since=moment(since) if since is not None else None,
                after=after,
            )
        )
    return _STATUS[ended]
