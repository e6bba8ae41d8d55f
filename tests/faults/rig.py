"""Starts engines in processes of their own, and asks them for runs until each event has one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

from dagster import DagsterRunStatus, RunsFilter

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.asked_lines import NobodyListensError
from agentflow_dagster.orchestration.engine_lane.asking import Answer, BeginRun, ask
from agentflow_dagster.orchestration.event_run import sensor_tags
from tests.faults import engine_process, front_door_process
from tests.faults.engine_process import Death, Settings
from tests.support.at_once import at_once
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from agentflow_dagster.ports.stores import InboxEvent
    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench

ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


class Rig:
    """Engines on a bench's database, one after the other.

    Args:
        bench: The database, its stores, and what is served.
        path: Where they listen.
        variables: What `{{env.…}}` reads.
    """

    def __init__(self, bench: Bench, path: Path, variables: Mapping[str, str]) -> None:
        self.bench = bench
        self.socket = path
        self._settings = {
            "url": bench.database_url,
            "dagster_home": str(bench.artifacts.parent / "dagster-direct"),
            "artifacts": str(bench.artifacts),
            "socket": str(path),
        }
        self._variables = variables
        self._started: list[ForkServerProcess] = []
        # What these import takes seconds: all are forked from one process that has.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([engine_process.__name__, front_door_process.__name__])

    def start(
        self, death: Death | None = None, *, lease_seconds: float | None = None
    ) -> ForkServerProcess:
        """Starts an engine, which listens when it returns.

        Args:
            death: Where it is to die; it may be dead by then.
            lease_seconds: How long it may not tell that it lives, if not as ever.
        """
        settings = Settings(
            **self._settings, variables=self._variables, death=death, lease_seconds=lease_seconds
        )
        process = self._context.Process(target=engine_process.main, args=(settings,))
        self.socket.unlink(missing_ok=True)
        process.start()
        self._started.append(process)
        wait_until(lambda: self._listens() or not process.is_alive())
        assert death or process.is_alive()
        return process

    def _listens(self) -> bool:
        with closing(socket.socket(socket.AF_UNIX)) as line:
            return line.connect_ex(str(self.socket)) == 0

    def kill(self, process: ForkServerProcess, number: signal.Signals = signal.SIGKILL) -> None:
        assert process.pid
        os.kill(process.pid, number)

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.join()

    def events(self, agent: str, inputs: Sequence[JsonObject]) -> list[InboxEvent]:
        """Accepted events, none of which has a run."""
        inbox = self.bench.stores.inbox
        return [inbox.add(agent, "calls", {"body": body})[0] for body in inputs]

    def begin(self, event: InboxEvent, *, patience_seconds: float = 30) -> Answer:
        """Asks for an event's run, whose input is the event's body.

        Raises:
            RunError: it was refused, or there was no answer.
        """
        asked = BeginRun(
            event_id=event.id,
            version=self.bench.compiled[event.agent].version.hash,
            location="agentflow",
            input=cast("Any", event.event["body"]),
            tags={**sensor_tags(event.agent, event), "agentflow/trigger": "calls"},
        )
        return ask(str(self.socket), asked, patience_seconds=patience_seconds)

    def begin_all(self, events: Sequence[InboxEvent]) -> set[int]:
        """Asks for the runs of all events at once; those whose start was acknowledged."""

        def one(number: int) -> bool:
            try:
                return self.begin(events[number]).done
            except (NobodyListensError, RunError):
                return False

        told = at_once(one, len(events)) if events else []
        return {event.id for event, done in zip(events, told, strict=True) if done}

    def without_run(self, events: Sequence[InboxEvent]) -> list[InboxEvent]:
        return [event for event in events if self.run_of(event) is None]

    def run_of(self, event: InboxEvent) -> str | None:
        found = self.bench.stores.inbox.get(event.id)
        assert found is not None
        return found.run_id

    def until_ended(self, runs: int, *, seconds: float = 90) -> None:
        """Waits until there are so many runs, and all have ended."""
        instance = self.bench.instance

        def ended() -> bool:
            return instance.get_runs_count(RunsFilter(statuses=ENDED)) >= runs

        wait_until(ended, seconds=seconds)
        assert instance.get_runs_count() == runs
