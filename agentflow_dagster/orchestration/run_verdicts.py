"""What is owed for a run that failed: another, after a while, or a person's attention."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from dagster import DagsterEventType
from dagster._core.storage.tags import RETRY_NUMBER_TAG
from sqlalchemy.exc import DBAPIError

from agentflow_dagster.errors import StoreError
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.run_config import given_config
from agentflow_dagster.ports.failures import Verdict
from agentflow_dagster.ports.stores import VersionHash
from agentflow_dagster.spec.parse import parse_agent
from agentflow_dagster.spec.units import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster import DagsterInstance, DagsterRun

    from agentflow_dagster.ports.failures import Failures
    from agentflow_dagster.ports.stores import VersionStore
    from agentflow_dagster.spec.document import Config

_log = logging.getLogger(__name__)
LONGEST_WAIT = 6 * 3600.0
"""Seconds before a run is tried again, however often it was."""
_BY_A_PERSON = frozenset({"", "manual"})


@dataclass(frozen=True, slots=True)
class Judge:
    """Says what is owed for runs that failed.

    Args:
        instance: Where they are recorded.
        versions: What agents say of their runs.
        failures: Where it is kept.
    """

    instance: DagsterInstance
    versions: VersionStore
    failures: Failures

    def judge_all(self) -> None:
        """Judges all failures that nobody has judged."""
        while found := self.failures.unjudged():
            for id_, run_id in found:
                self.failures.judge(id_, self._verdict_of_any(run_id))

    def _verdict_of_any(self, run_id: str) -> Verdict | None:
        """One that cannot be judged is left to a person, and keeps no other from it."""
        try:
            return self.verdict(run_id)
        except (DBAPIError, StoreError, OSError):
            raise
        except Exception as problem:  # noqa: BLE001 - the others are judged
            _log.exception("What is owed for run %s cannot be told.", run_id)
            run = self.instance.get_run_by_id(run_id)
            tags: Mapping[str, str] = run.tags if run is not None else {}
            return Verdict(
                agent=tags.get(names.AGENT_TAG, ""),
                trigger=tags.get(names.TRIGGER_TAG, ""),
                attempts=1,
                error=f"What is owed for it cannot be told: {problem!r}.",
                input="",
                wait_seconds=None,
            )

    def verdict(self, run_id: str) -> Verdict | None:
        """What is owed for one; None where it is nothing: for runs of no deployed agent, those that
        another run started, and those of a person that are not to be tried again."""
        run = self.instance.get_run_by_id(run_id)
        if run is None or names.AGENT_TAG not in run.tags or names.PARENT_RUN_TAG in run.tags:
            return None
        version = self.versions.get(VersionHash(run.tags.get(names.VERSION_TAG, "")))
        if version is None or version.number == 0:
            return None
        agent = parse_agent(version.document)
        if isinstance(agent, tuple):
            return None
        config, trigger = agent.spec.config, run.tags.get(names.TRIGGER_TAG, "")
        told = run.tags.get(RETRY_NUMBER_TAG, "")
        retried = int(told) if told.isdecimal() else 0  # A person may have typed anything.
        again = retried < config.run_retries
        if not again and not config.run_retries and trigger in _BY_A_PERSON:
            return None
        return Verdict(
            agent=agent.name,
            trigger=trigger,
            attempts=retried + 1,
            error=self._error(run_id),
            input=_input(run, agent.name),
            wait_seconds=wait_before(config, retried) if again else None,
        )

    def _error(self, run_id: str) -> str:
        from agentflow_dagster.orchestration.event_reading import read_event
        from agentflow_dagster.ports.live_events import RunChanged

        for entry in reversed(self.instance.all_logs(run_id, of_type=DagsterEventType.RUN_FAILURE)):
            told = read_event(0, "PIPELINE_FAILURE", entry.to_json(), "")
            if isinstance(told, RunChanged):
                return told.error
        return ""


def wait_before(config: Config, retried: int) -> float:
    """Seconds before a run is tried again that was so many times."""
    delay = seconds(config.run_retry_delay)
    match config.retry_policy:
        case "exponential":
            delay *= 2**retried
        case "linear":
            delay *= retried + 1
        case "fixed" | "none":
            pass
    return min(delay, LONGEST_WAIT)


def _input(run: DagsterRun, agent: str) -> str:
    given: Any = given_config(run, names.dagster_name(agent)).get("input")
    return json.dumps(cast("object", given), ensure_ascii=False) if given is not None else ""
