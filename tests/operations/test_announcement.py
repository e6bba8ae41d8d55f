"""One platform for a project, and how other commands find it."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.announcement import announced, found_process, found_running
from agentflow_dagster.operations.platform import Platform
from agentflow_dagster.operations.project import Project
from agentflow_dagster.orchestration.client import DagsterClient

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, tmp_path / "home", "local", {})


def platform(project: Project) -> Platform:
    nothing = cast("Any", None)
    client = DagsterClient("http://127.0.0.1:3000", nothing)
    return Platform(project, client, nothing, None, "http://127.0.0.1:8800", None)


def test_it_is_found_while_it_is_up(project: Project) -> None:
    assert found_running(project) is None
    with announced(project) as announce:
        assert found_running(project) is None  # it is starting
        assert found_process(project) == {"pid": os.getpid()}
        announce(platform(project))
        assert found_running(project) == {
            "pid": os.getpid(),
            "dagster": "http://127.0.0.1:3000",
            "gateway": "http://127.0.0.1:8800",
            "jupyter": None,
        }
        path = project.home / "up.json"
        assert path.stat().st_mode & 0o777 == 0o600
    assert found_process(project) is None
    assert not path.exists()


def test_there_is_one(project: Project) -> None:
    with (
        announced(project) as announce,
        pytest.raises(UsageError, match="is up already"),
        announced(project),
    ):
        pass
    del announce


def test_what_one_that_was_killed_has_left_is_not_believed(project: Project) -> None:
    project.make_home()
    left = {"pid": 1, "dagster": "http://127.0.0.1:1", "gateway": None, "jupyter": None}
    (project.home / "up.json").write_text(json.dumps(left))
    (project.home / "up.json").chmod(0o644)
    (project.home / "up.lock").touch()
    assert found_process(project) is None
    with announced(project):
        assert found_process(project) == {"pid": os.getpid()}
        assert found_running(project) is None
        assert (project.home / "up.json").stat().st_mode & 0o777 == 0o600


def test_whoever_only_looks_keeps_nobody_from_starting(project: Project) -> None:
    project.make_home()
    looking, done = threading.Event(), threading.Event()

    def look() -> None:
        with (project.home / "up.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            looking.set()
            done.wait(0.2)

    looker = threading.Thread(target=look)
    looker.start()
    looking.wait()
    with announced(project):
        assert found_process(project) is not None
    done.set()
    looker.join()
