"""Components are kept running, and none of them outlives its supervisor, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.operations.components import Component
from agentflow_dagster.operations.processes import Processes
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parents[2]

# Each tells its process id in a file of its own, whole.
TELL = """
import os, signal, subprocess, sys, time
def tell(name):
    with open(name + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(name + ".new", name)
"""
WAIT = TELL + "tell('head'); signal.pause()"
DEAF = (
    TELL + "signal.signal(signal.SIGTERM, signal.SIG_IGN); tell('head')\nwhile True: signal.pause()"
)
# A child in a session of its own, whose parent is gone: no group leads to it.
ESCAPE = (
    TELL
    + """
if not os.fork():
    os.setsid()
    if not os.fork():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        tell('escaped')
        while True: signal.pause()
    os._exit(0)
tell('head')
signal.pause()
"""
)
# The head ends at once when asked to; its child still has something to write.
LAST_WORDS = (
    TELL
    + """
if not os.fork():
    def finish(*_):
        while os.getppid() == head: time.sleep(0.01)
        tell('finished')
        os._exit(0)
    head = os.getppid()
    signal.signal(signal.SIGTERM, finish)
    tell('child')
    while True: signal.pause()
signal.signal(signal.SIGTERM, signal.SIG_DFL)
tell('head')
signal.pause()
"""
)
SUPERVISE = """
import sys, signal
from pathlib import Path
from agentflow_dagster.operations.components import Component
from agentflow_dagster.operations.processes import Processes
folder = Path(sys.argv[1])
processes = Processes(folder, {}, folder, grace=0.5)
processes.start([Component("one", [sys.executable, "-c", sys.argv[2]])])
signal.pause()
"""


def component(program: str, name: str = "one") -> Component:
    return Component(name, [sys.executable, "-I", "-S", "-c", program])


@pytest.fixture
def processes(tmp_path: Path) -> Generator[Processes]:
    with Processes(tmp_path, dict(os.environ), tmp_path, grace=1) as started:
        yield started


def told(file: Path) -> int:
    wait_until(file.exists)
    return int(file.read_text())


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_dies_is_started_again(processes: Processes, tmp_path: Path) -> None:
    processes.start([component(WAIT)])
    first = told(tmp_path / "head")
    assert processes.pid("one") == first
    assert processes.revive() == []
    (tmp_path / "head").unlink()
    os.kill(first, signal.SIGKILL)
    assert wait_until(processes.revive) == ["one"]
    assert told(tmp_path / "head") == processes.pid("one") != first


def test_what_does_not_answer_is_killed_and_started_again(
    processes: Processes, tmp_path: Path
) -> None:
    """Also where it is stopped, and would hear of no other signal."""
    silent = True
    component = Component("head", [sys.executable, "-c", WAIT], answers=lambda: not silent)
    processes.start([component])
    first = told(tmp_path / "head")
    os.kill(first, signal.SIGSTOP)
    (tmp_path / "head").unlink()
    assert processes.revive() == []
    silent = False
    wait_until(processes.revive)
    assert told(tmp_path / "head") != first
    assert not psutil.pid_exists(first)


def test_what_dies_again_and_again_is_given_up_with_its_last_words(processes: Processes) -> None:
    processes.start([component("import sys; print('no port left'); sys.exit(3)")])
    with pytest.raises(RunError, match=r"(?s)one ended with exit status 3.*no port left"):
        wait_until(lambda: processes.revive() == ["never"])
    assert processes.log("one").read_text().splitlines().count("no port left") == 6


def test_it_says_by_which_signal_one_ended(processes: Processes, tmp_path: Path) -> None:
    processes.start([component(WAIT)])
    os.kill(told(tmp_path / "head"), signal.SIGSEGV)
    with pytest.raises(RunError, match="ended with signal 11"):
        wait_until(lambda: processes.check() or False)
    with pytest.raises(RunError, match="one is not running"):
        processes.pid("one")


def test_a_command_that_is_not_there_is_told(processes: Processes) -> None:
    processes.start([Component("one", ["/nowhere/program"])])
    with pytest.raises(RunError, match="/nowhere/program: No such file"):
        wait_until(lambda: processes.check() or False)


def test_what_a_dead_component_left_is_gone_too(processes: Processes, tmp_path: Path) -> None:
    processes.start([component(ESCAPE)])
    head, escaped = told(tmp_path / "head"), told(tmp_path / "escaped")
    os.kill(head, signal.SIGKILL)
    wait_until(processes.revive)
    assert not lives(escaped)


@pytest.mark.parametrize("program", [WAIT, DEAF, ESCAPE])
def test_nothing_is_left_after_stop(tmp_path: Path, program: str) -> None:
    with Processes(tmp_path, dict(os.environ), tmp_path, grace=0.5) as processes:
        processes.start([component(program)])
        pids = [told(tmp_path / "head")]
        if program == ESCAPE:
            pids.append(told(tmp_path / "escaped"))
    assert not [pid for pid in pids if lives(pid)]


def test_one_that_was_stopped_by_a_signal_can_still_end(tmp_path: Path) -> None:
    with Processes(tmp_path, dict(os.environ), tmp_path, grace=60) as processes:
        processes.start([component(WAIT)])
        os.kill(told(tmp_path / "head"), signal.SIGSTOP)
    assert not lives(told(tmp_path / "head"))


def test_what_a_component_started_may_finish_too(tmp_path: Path) -> None:
    with Processes(tmp_path, dict(os.environ), tmp_path, grace=60) as processes:
        processes.start([component(LAST_WORDS)])
        told(tmp_path / "head")
        told(tmp_path / "child")
    assert (tmp_path / "finished").exists()


@pytest.mark.fault
@pytest.mark.parametrize("program", [WAIT, DEAF, ESCAPE])
def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path, program: str) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(tmp_path), program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    pids = [told(tmp_path / "head")]
    if program == ESCAPE:
        pids.append(told(tmp_path / "escaped"))
    elif program == WAIT:
        os.kill(pids[0], signal.SIGSTOP)
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: not [pid for pid in pids if lives(pid)], seconds=30)


@pytest.mark.fault
def test_a_component_ends_with_its_keeper(processes: Processes, tmp_path: Path) -> None:
    processes.start([component(WAIT)])
    head = told(tmp_path / "head")
    keeper = psutil.Process(head).ppid()
    os.kill(keeper, signal.SIGKILL)
    assert wait_until(processes.revive) == ["one"]
    wait_until(lambda: not lives(head))
