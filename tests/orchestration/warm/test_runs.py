"""Runs that are forked from the warm parent: how they begin, and how they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest
from dagster import AssetKey
from dagster._core.events import EngineEventData

from agentflow_dagster.orchestration.lanes import lane_of
from agentflow_dagster.orchestration.launcher import LaneLauncher
from agentflow_dagster.orchestration.names import MACHINE_TAG
from agentflow_dagster.orchestration.warm.asking import SOCKET_VARIABLE
from tests.orchestration.warm.conftest import ENDLESS, SAYS
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.orchestration.warm.conftest import Site


def test_a_run_of_an_agent(site: Site) -> None:
    site.write("greeter", SAYS.format(word="Hello"))
    run_id = site.launch(site.create("greeter_job", who="Ada"))
    assert site.ended(run_id) == "SUCCESS"
    assert site.stores.steps.all(run_id)["say"].value == {"text": "Hello Ada"}
    assert site.pid(run_id) != site.processes.pid("warm-parent")
    told = site.told(run_id)
    assert told.index("Started process for run") < told.index("Process for run exited")


def test_a_run_keeps_the_version_that_it_was_asked_for_with(site: Site) -> None:
    site.write("versioned", SAYS.format(word="one"))
    before = site.create("versioned_job")
    site.write("versioned", SAYS.format(word="two"))
    after = site.create("versioned_job")
    said: list[object] = []
    for run in (before, after):
        assert site.ended(site.launch(run)) == "SUCCESS"
        said.append(site.stores.steps.all(run.run_id)["say"].value)
    assert said == [{"text": "one you"}, {"text": "two you"}]


def test_a_run_of_assets_under_no_job_of_an_agent(site: Site) -> None:
    site.write("one", SAYS.format(word="one"))
    site.write("other", SAYS.format(word="other"))
    config = {"ops": {name: {"config": {"input": {}}} for name in ("one", "other")}}
    both = [AssetKey(["one", "say"]), AssetKey(["other", "say"])]
    run_id = site.launch(site.create("__ASSET_JOB", select=both, config=config))
    assert site.ended(run_id) == "SUCCESS"


def test_a_job_that_is_no_agents_as_its_file_stands_now(site: Site) -> None:
    said = site.root / ".agentflow" / "dagster-direct" / "said"
    run = site.create("by_hand")
    assert site.ended(site.launch(run)) == "SUCCESS"
    assert said.read_text() == "first"
    file = site.root / "definitions.py"
    file.write_text(file.read_text().replace('"first"', '"second"'))
    assert site.ended(site.launch(site.create("by_hand"))) == "SUCCESS"
    assert said.read_text() == "second"
    printed = site.root.glob(f".agentflow/logs/compute/**/{run.run_id}/**/*.out")
    assert [path.read_text() for path in printed] == ["printed by hand\n"]


def test_runs_side_by_side_and_each_is_stopped_by_itself(site: Site) -> None:
    site.write("endless", ENDLESS)
    first, second = (site.launch(site.create("endless_job")) for _ in range(2))
    pids = [site.pid(run_id) for run_id in (first, second)]
    assert len({*pids, *(os.getsid(pid) for pid in pids)}) == 2
    assert site.instance.run_launcher.terminate(first)
    assert site.ended(first) == "CANCELED"
    wait_until(lambda: not psutil.pid_exists(pids[0]))
    assert (site.status(second), psutil.pid_exists(pids[1])) == ("STARTED", True)
    assert site.instance.run_launcher.terminate(second)
    assert site.ended(second) == "CANCELED"
    assert not site.instance.run_launcher.terminate(second)


def test_a_run_that_does_not_end_when_it_is_interrupted_is_killed(site: Site) -> None:
    run_id = site.launch(site.create("stubborn"))
    pid = site.pid(run_id)
    assert site.instance.run_launcher.terminate(run_id)
    assert site.ended(run_id) == "CANCELED"
    wait_until(lambda: not psutil.pid_exists(pid))
    assert "it did not end when it was interrupted" in site.told(run_id)


@pytest.mark.fault
def test_runs_end_with_the_warm_parent_and_the_next_one_tells(site: Site) -> None:
    run_id = site.launch(site.create("stubborn"))
    pid = site.pid(run_id)
    os.kill(site.processes.pid("warm-parent"), signal.SIGKILL)
    wait_until(site.processes.revive)
    assert not psutil.pid_exists(pid)
    assert site.ended(run_id) == "FAILURE"
    assert "ended with the process that had started it" in site.told(run_id)
    assert site.ended(site.launch(site.create("by_hand"))) == "SUCCESS"


def test_a_run_whose_process_is_gone_is_canceled_all_the_same(site: Site) -> None:
    gone, unknown = site.create("by_hand"), site.create("by_hand")
    for run in (gone, unknown):
        site.instance.add_run_tags(run.run_id, {MACHINE_TAG: socket.gethostname()})
    ended = subprocess.Popen(["true"])
    ended.wait()
    told = EngineEventData.in_process(ended.pid)
    site.instance.report_engine_event("It has begun.", gone, told)
    assert site.instance.run_launcher.terminate(gone.run_id)
    assert site.status(gone.run_id) == "CANCELED"
    assert not site.instance.run_launcher.terminate(unknown.run_id)
    assert "no process of this run" in site.told(unknown.run_id)


def test_without_a_warm_parent_runs_start_as_dagster_has_it(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = site.create("by_hand")
    assert lane_of(run) == "warm"
    launcher = site.instance.run_launcher
    assert isinstance(launcher, LaneLauncher)
    for nowhere in (str(tmp_path / "nobody"), ""):
        monkeypatch.setenv(SOCKET_VARIABLE, nowhere)
        with pytest.raises(Exception, match="requires a workspace"):
            site.launch(run)
    assert lane_of(run) == "stock"
