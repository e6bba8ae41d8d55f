"""Dagster's daemon, which looks at backfills as often as Dagster has it look at sensors.

By itself it looks every 30 s, and has no setting for that: a backfill of a few short runs would
begin up to half a minute after it was asked for, and be told as done up to another half after it
was. It also looks with the code that it read last, and has a backfill fail whose agent was
published in the second or two since then; here it reads that code first.

Beside Dagster's own daemons it has the one that tries failed runs again (run_retries.py), and one
that launches what a daemon left that died (left_launches.py). Run as `python -m …daemon run`, with
the options of `dagster-daemon`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._daemon import backfill, cli, controller

from agentflow_dagster.orchestration.instance import DATABASE_VARIABLE
from agentflow_dagster.orchestration.left_launches import LeftLaunches, runs_left
from agentflow_dagster.orchestration.run_retries import RunRetries
from agentflow_dagster.orchestration.run_verdicts import Judge
from agentflow_dagster.orchestration.storage import note_plans_at_once
from agentflow_dagster.orchestration.whole_locations import read_locations_whole
from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.failures import PostgresFailures
from agentflow_dagster.stores.versions import PostgresVersionStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dagster import DagsterInstance
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster_shared.error import SerializableErrorInfo

BACKFILL_SECONDS = 5
SECONDS_TO_ANSWER = 2


def quicken() -> None:
    """Sets how often backfills are looked at; the loop reads it where it starts."""
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = BACKFILL_SECONDS


def look_with_code_as_it_is() -> None:
    """Has backfills be looked at with what code servers serve by then."""
    of_dagster = cast("Any", backfill)
    execute = of_dagster.execute_backfill_jobs

    def look(
        context: WorkspaceProcessContext, *rest: Any, **named: Any
    ) -> Iterable[SerializableErrorInfo | None]:
        read_what_has_changed(context)
        return execute(context, *rest, **named)

    of_dagster.execute_backfill_jobs = look


def read_what_has_changed(context: WorkspaceProcessContext) -> None:
    """Reads those code locations again that have been loaded anew by their servers.

    Where one cannot be asked, the backfill that needs it says so, and is tried again.
    """
    for location in context.create_request_context().code_locations:
        if not isinstance(location, GrpcServerCodeLocation):
            continue
        with suppress(DagsterUserCodeUnreachableError):
            if location.client.get_server_id(timeout=SECONDS_TO_ANSWER) != location.server_id:
                context.refresh_code_location(location.name)


def add_own() -> None:
    """Has ours started along with Dagster's own."""
    of_dagster = cast("Any", cli)
    started = partial(of_dagster.daemon_controller_from_instance, gen_daemons=_daemons)
    of_dagster.daemon_controller_from_instance = started


def _daemons(instance: DagsterInstance) -> list[Any]:
    engine = create_engine(os.environ[DATABASE_VARIABLE], pool_size=1)
    versions, failures = PostgresVersionStore(engine), PostgresFailures(engine)
    retries = RunRetries(lambda instance: Judge(instance, versions, failures))
    left = LeftLaunches(runs_left(instance))
    return [*cast("Any", controller).create_daemons_from_instance(instance), retries, left]


def main() -> None:
    """Serves until it is told to stop."""
    quicken()
    look_with_code_as_it_is()
    read_locations_whole()
    note_plans_at_once()
    add_own()
    cli.main()


if __name__ == "__main__":
    main()
