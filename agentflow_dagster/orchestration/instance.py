"""Dagster's instance on AgentFlow's database: the `dagster.yaml` of a Dagster home."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.orchestration import names

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from dagster import DagsterInstance, RunRecord

    from agentflow_dagster.spec.values import JsonObject

DATABASE_VARIABLE = "AGENTFLOW_DATABASE_URL"
"""Every process reads the database's URL from here, so that no file holds a password."""


_TICKS = {"skipped": 7, "failure": 90, "success": 90}
"""Days that Dagster's daemon keeps what became of ticks."""


def write_instance(home: Path, *, queued: bool, max_runs: int = 10) -> Path:
    """Writes `dagster.yaml` and returns the folder to set as `DAGSTER_HOME`.

    Args:
        home: AgentFlow's home.
        queued: Runs wait in a queue that the daemon serves, so that a burst does not start a
            process for each at once; without it a run starts as soon as it is launched.
        max_runs: Most runs at a time where queued; each is a process, which holds some 50 MB beside
            what it shares with the warm parent.
    """
    folder = home / ("dagster" if queued else "dagster-direct")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagster.yaml").write_text(
        _yaml(instance_config(home, queued=queued, max_runs=max_runs))
    )
    return folder


def instance_config(home: Path, *, queued: bool, max_runs: int) -> dict[str, object]:
    """The instance's configuration."""
    coordinator: dict[str, Any] = {
        "module": "dagster._core.run_coordinator",
        "class": "DefaultRunCoordinator",
    }
    if queued:
        coordinator = {
            "module": "agentflow_dagster.orchestration.coordinator",
            "class": "LaneCoordinator",
            "config": {
                "dequeue_interval_seconds": 1,
                "dequeue_use_threads": True,
                # A code server that died is back within seconds; its runs wait in the queue.
                "max_user_code_failure_retries": 20,
                "user_code_failure_retry_delay": 5,
            },
        }
    return {
        "storage": {
            "custom": {
                "module": "agentflow_dagster.orchestration.storage",
                "class": "LastingStorage",
                "config": {"postgres_url": {"env": DATABASE_VARIABLE}},
            }
        },
        "run_coordinator": coordinator,
        "run_launcher": {
            "module": "agentflow_dagster.orchestration.launcher",
            "class": "LaneLauncher",
        },
        "concurrency": {
            "runs": {"max_concurrent_runs": max_runs},
            # An agent's pool has `maxConcurrentExecutions` slots, one taken by each of its runs.
            "pools": {"granularity": "run"},
        },
        "compute_logs": {
            "module": "agentflow_dagster.orchestration.compute_logs",
            "class": "RunLogs",
            "config": {"base_dir": str(compute_logs(home))},
        },
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(home / "dagster-artifacts")},
        },
        # Of runs and what they leave, retention.py.
        "retention": {
            "schedule": {"purge_after_days": _TICKS},
            "sensor": {"purge_after_days": _TICKS},
        },
        "run_monitoring": {"enabled": True, "poll_interval_seconds": 10},
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def compute_logs(home: Path) -> Path:
    """Where what runs print is kept, a folder for each."""
    return home / "logs" / "compute"


def _yaml(config: dict[str, Any]) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    text = StringIO()
    cast("Any", YAML(typ="safe", pure=True)).dump(config, text)
    return text.getvalue()


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One line of a list of runs."""

    run_id: str
    agent: str
    version: str
    trigger: str
    status: str
    started_at: datetime | None
    seconds: float | None

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints."""
        return {
            "run_id": self.run_id,
            "agent": self.agent,
            "version": self.version,
            "trigger": self.trigger,
            "status": self.status,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "seconds": self.seconds,
        }


def prepare_instance(folder: Path, url: str) -> None:
    """Makes or upgrades Dagster's tables, before several processes would do so at once."""
    with opened_instance(folder, url) as instance:
        instance.upgrade()


def prepared_instance(folder: Path) -> DagsterInstance:
    """The instance of a Dagster home whose tables `prepare_instance` has seen to.

    It does not ask the database for them, which would take 50 ms; nor anything else, so that it may
    be made before a fork.
    """
    from dagster import DagsterInstance
    from dagster._core.instance import InstanceRef

    reference = InstanceRef.from_dir(str(folder))
    storage = reference.storage_data
    assert storage is not None
    config = {**storage.config_dict, "should_autocreate_tables": False}
    made = reference._replace(storage_data=storage._replace(config_yaml=_yaml(config)))
    return DagsterInstance.from_ref(made)


def set_limits(folder: Path, url: str, limits: Mapping[str, int]) -> None:
    """Sets how many runs of each agent there may be at a time.

    Args:
        folder: A Dagster home.
        url: The database.
        limits: `maxConcurrentExecutions` by agent.
    """
    with opened_instance(folder, url) as instance:
        for agent, limit in limits.items():
            instance.event_log_storage.set_concurrency_slots(names.pool_name(agent), limit)


def newest_runs(folder: Path, url: str, agent: str | None, *, limit: int) -> list[ListedRun]:
    """The newest runs; `agent` may be written with `-` or `_`."""
    from dagster import RunsFilter

    spellings = [agent, agent.replace("_", "-"), agent.replace("-", "_")] if agent else []
    wanted = RunsFilter(tags={names.AGENT_TAG: list(dict.fromkeys(spellings))}) if agent else None
    with opened_instance(folder, url) as instance:
        return [_listed(record) for record in instance.get_run_records(wanted, limit=limit)]


def _listed(record: RunRecord) -> ListedRun:
    run = record.dagster_run
    began, ended = record.start_time, record.end_time
    return ListedRun(
        run_id=run.run_id,
        agent=run.tags.get(names.AGENT_TAG, run.job_name),
        version=run.tags.get(names.VERSION_TAG, ""),
        trigger=run.tags.get(names.TRIGGER_TAG, ""),
        status=run.status.value,
        started_at=datetime.fromtimestamp(began, UTC) if began else None,
        # The clock may have been set back in between.
        seconds=round(max(0.0, ended - began), 3) if began and ended else None,
    )


@contextmanager
def opened_instance(folder: Path, url: str) -> Generator[DagsterInstance]:
    """The instance of a Dagster home, whose `dagster.yaml` reads the URL from the environment."""
    from dagster import DagsterInstance

    before = os.environ.get(DATABASE_VARIABLE)
    os.environ[DATABASE_VARIABLE] = url
    try:
        with DagsterInstance.from_config(str(folder)) as instance:
            yield instance
    finally:
        if before is None:
            del os.environ[DATABASE_VARIABLE]
        else:
            os.environ[DATABASE_VARIABLE] = before
