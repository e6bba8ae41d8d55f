"""Dagster's daemon, which looks at backfills as often as Dagster has it look at sensors.

By itself it looks every 30 s, and has no setting for that: a backfill of a few short runs would
begin up to half a minute after it was asked for, and be told as done up to another half after it
was. Run as `python -m …daemon run`, with the options of `dagster-daemon`.
"""

from __future__ import annotations

from dagster._daemon import controller
from dagster._daemon.cli import main as dagster_daemon

from agentflow_dagster.orchestration.whole_locations import read_locations_whole

BACKFILL_SECONDS = 5


def quicken() -> None:
    """Sets how often backfills are looked at; the loop reads it where it starts."""
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = BACKFILL_SECONDS


def main() -> None:
    """Serves until it is told to stop."""
    quicken()
    read_locations_whole()
    dagster_daemon()


if __name__ == "__main__":
    main()
