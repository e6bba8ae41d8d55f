"""A run whose process dies goes on in another: what had ended is not done again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.launcher.base import ResumeRunContext

from agentflow_dagster.orchestration.warm.under_way import notes_folder
from tests.orchestration.warm import doomed_parent
from tests.orchestration.warm.conftest import SAYS
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.orchestration.warm.conftest import Site

pytestmark = pytest.mark.fault

COUNTED = """first:
      kind: code.python
      with:
        code: |
          import os
          with open("{folder}/first", "a") as file:
              file.write(f"{{os.getpid()}} ")
          said = "once"
        outputs: [said]
    second:
      kind: code.python
      after: [first]
      timeout: 5m
      with:
        code: |
          import os, time
          with open("{folder}/second", "a") as file:
              file.write(f"{{os.getpid()}} ")
          while not os.path.exists("{folder}/go"):
              time.sleep(0.05)
    third:
      kind: transform.format
      after: [second]
      with: {{template: "{{{{ it }}}}", values: {{it: "{{{{first.output.said}}}}"}}}}"""


def begin(site: Site, folder: Path) -> str:
    """A run whose second step is at work."""
    site.write("counted", COUNTED.format(folder=folder))
    run_id = site.launch(site.create("counted_job"))
    wait_until((folder / "second").exists)
    return run_id


def ends_well(site: Site, run_id: str, folder: Path) -> None:
    """Lets a run end that has begun its second step twice."""
    wait_until(lambda: len((folder / "second").read_text().split()) == 2)
    (folder / "go").touch()
    assert site.ended(run_id) == "SUCCESS"
    assert len((folder / "first").read_text().split()) == 1
    assert site.stores.steps.all(run_id)["third"].value == {"text": "once"}


def test_where_its_process_is_killed(site: Site, tmp_path: Path) -> None:
    run_id = begin(site, tmp_path)
    killed = site.pid(run_id)
    os.kill(killed, signal.SIGKILL)
    ends_well(site, run_id, tmp_path)
    told = site.told(run_id)
    assert "was terminated by signal 9 (SIGKILL)" in told
    assert f"Started process for run (pid: {killed})" in told
    assert told.index("Launching a new run worker") < told.index("attempt # 2")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_where_the_warm_parent_is_gone(site: Site, tmp_path: Path, number: signal.Signals) -> None:
    run_id = begin(site, tmp_path)
    pid = site.pid(run_id)
    os.kill(site.processes.pid("warm-parent"), number)
    wait_until(lambda: not psutil.pid_exists(pid))
    # Dagster's run monitoring must not take it for lost meanwhile.
    health = site.instance.run_launcher.check_run_worker_health(site.run(run_id))
    assert health.status == WorkerStatus.RUNNING
    wait_until(site.processes.revive)
    ends_well(site, run_id, tmp_path)
    stopped = number == signal.SIGTERM
    assert ("ended when AgentFlow was stopped" in site.told(run_id)) == stopped
    wait_until(lambda: not site.notes())
    assert site.ended(site.launch(site.create("by_hand"))) == "SUCCESS"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_job_that_is_no_agents_has_failed(site: Site, number: signal.Signals) -> None:
    run_id = site.launch(site.create("stubborn"))
    os.kill(site.pid(run_id), number)
    assert site.ended(run_id) == "FAILURE"
    assert f"was terminated by signal {number.value} ({number.name})" in site.told(run_id)
    wait_until(lambda: not site.notes())


def test_one_that_is_to_be_canceled_does_not_go_on(site: Site, tmp_path: Path) -> None:
    run_id = begin(site, tmp_path)
    parent = site.processes.pid("warm-parent")
    os.kill(parent, signal.SIGSTOP)
    os.kill(site.pid(run_id), signal.SIGKILL)
    site.instance.report_run_canceling(site.run(run_id))
    os.kill(parent, signal.SIGCONT)
    assert site.ended(run_id) == "CANCELED"
    assert len((tmp_path / "second").read_text().split()) == 1


def test_one_that_dagster_has_go_on(site: Site) -> None:
    """As its monitoring does with a job that is no agent's, where its settings say so."""
    run_id = site.launch(site.create("stubborn"))
    first = site.pid(run_id)
    parent = site.processes.pid("warm-parent")
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(first))
    forget(run_id)
    wait_until(site.processes.revive)
    wait_until(lambda: listens(site))
    launcher, run = site.instance.run_launcher, site.run(run_id)
    assert launcher.supports_resume_run
    assert launcher.check_run_worker_health(run).status == WorkerStatus.FAILED
    launcher.resume_run(ResumeRunContext(run, workspace=None, resume_attempt_number=1))
    wait_until(lambda: "attempt # 2" in site.told(run_id))
    assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
    assert launcher.terminate(run_id)
    assert site.ended(run_id) == "CANCELED"


def forget(run_id: str) -> None:
    folder = notes_folder()
    assert folder is not None
    (folder / run_id).unlink()


@pytest.mark.parametrize("when", [pytest.param("before", marks=pytest.mark.soak), "after"])
def test_where_the_warm_parent_dies_as_it_forks(site: Site, when: str) -> None:
    """Who launched the run had no answer, and does not take it for lost."""
    site.write("greeter", SAYS.format(word="Hello"))
    run = site.create("greeter_job", who="Ada")
    before = site.processes.pid("warm-parent")
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: not listens(site))
    command = [sys.executable, "-m", doomed_parent.__name__, when, "--socket", str(site.socket)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3]) as doomed:
        wait_until(lambda: listens(site))
        assert site.launch(run) == run.run_id
    assert doomed.returncode == -signal.SIGKILL
    assert site.notes() == {run.run_id}
    wait_until(site.processes.revive)
    assert site.ended(run.run_id) == "SUCCESS"
    told = site.told(run.run_id)
    assert told.count('Finished execution of step "greeter.say"') == 1
    assert told.count("Started execution of run") == 1


def listens(site: Site) -> bool:
    with socket.socket(socket.AF_UNIX) as line:
        return line.connect_ex(str(site.socket)) == 0
