"""Dagster's instance on AgentFlow's database: the `dagster.yaml` of a Dagster home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

DATABASE_VARIABLE = "AGENTFLOW_DATABASE_URL"
"""Every process reads the database's URL from here, so that no file holds a password."""


def write_instance(home: Path, *, queued: bool, max_runs: int = 4) -> Path:
    """Writes `dagster.yaml` and returns the folder to set as `DAGSTER_HOME`.

    Args:
        home: AgentFlow's home.
        queued: Runs wait in a queue that the daemon serves, so that a burst does not start a
            process for each at once; without it a run starts as soon as it is launched.
        max_runs: Most runs at a time where queued; each is a process of about 300 MB.
    """
    folder = home / ("dagster" if queued else "dagster-direct")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagster.yaml").write_text(_yaml(instance_config(home, queued, max_runs)))
    return folder


def instance_config(home: Path, queued: bool, max_runs: int) -> dict[str, Any]:
    """The instance's configuration."""
    coordinator: dict[str, Any] = {
        "module": "dagster._core.run_coordinator",
        "class": "DefaultRunCoordinator",
    }
    if queued:
        coordinator = {
            "module": "dagster._core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {"dequeue_interval_seconds": 1, "dequeue_use_threads": True},
        }
    return {
        "storage": {"postgres": {"postgres_url": {"env": DATABASE_VARIABLE}}},
        "run_coordinator": coordinator,
        "concurrency": {
            "runs": {"max_concurrent_runs": max_runs},
            # An agent's pool has `maxConcurrentExecutions` slots, one taken by each of its runs.
            "pools": {"granularity": "run"},
        },
        "compute_logs": {
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(home / "logs" / "compute")},
        },
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(home / "dagster-artifacts")},
        },
        "run_monitoring": {"enabled": True, "poll_interval_seconds": 10},
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def _yaml(config: dict[str, Any]) -> str:
    from io import StringIO

    from ruamel.yaml import YAML

    text = StringIO()
    YAML(typ="safe", pure=True).dump(config, text)
    return text.getvalue()
