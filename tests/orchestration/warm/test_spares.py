"""Children that stand by for runs: who takes a run, and when they are not good for it."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest

from agentflow_dagster.operations.components import code_server, free_ports
from agentflow_dagster.operations.project import Project
from agentflow_dagster.orchestration.warm.asking import CarryOut, ask
from agentflow_dagster.orchestration.warm.spares import Spares
from tests.orchestration.warm.conftest import SAYS
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from tests.orchestration.warm.conftest import Site

FIRST = CarryOut(run_id="1" * 36, job="greeter_job", location="agentflow")
SECOND = CarryOut(run_id="2" * 36, job="greeter_job", location="agentflow")
ELSEWHERE = CarryOut(run_id="3" * 36, job="other_job", location="agentflow-2")


def standing(site: Site) -> set[int]:
    """The processes that stand by, where no run is under way."""
    parent = psutil.Process(site.processes.pid("warm-parent"))
    return {child.pid for child in parent.children()}


def carried_out(site: Site, job: str, who: str = "you") -> tuple[str, int, set[int]]:
    """A run that has succeeded, the process that it was given to, and those that stood by."""
    run_id = site.create(job, who=who).run_id
    stood_by = standing(site)
    pid = ask(str(site.socket), CarryOut(run_id=run_id, job=job, location="agentflow")).pid
    assert pid is not None
    assert site.ended(run_id) == "SUCCESS"
    wait_until(lambda: not psutil.pid_exists(pid))
    return run_id, pid, stood_by


def given_to_a_spare(site: Site, job: str, who: str = "you") -> tuple[str, int]:
    """A run that a process that stood by was given, and that process."""
    found: list[tuple[str, int]] = []

    def taken() -> bool:
        run_id, pid, stood_by = carried_out(site, job, who)
        found.append((run_id, pid))
        return pid in stood_by

    wait_until(taken, seconds=60)
    return found[-1]


def test_the_next_run_has_one_that_stood_by(site: Site) -> None:
    site.write("greeter", SAYS.format(word="Hello"))
    for who in ("Ada", "Grace"):
        run_id, pid = given_to_a_spare(site, "greeter_job", who=who)
        assert site.pid(run_id) == pid
        assert site.stores.steps.all(run_id)["say"].value == {"text": f"Hello {who}"}


def test_one_that_stood_by_for_another_job_does_as_well(site: Site) -> None:
    site.write("greeter", SAYS.format(word="Hello"))
    site.write("parting", SAYS.format(word="Goodbye"))
    for job, said in (("greeter_job", "Hello you"), ("parting_job", "Goodbye you")):
        run_id, _ = given_to_a_spare(site, job)
        assert site.stores.steps.all(run_id)["say"].value == {"text": said}
    given_to_a_spare(site, "by_hand")


def test_what_was_edited_is_seen(site: Site) -> None:
    said = site.root / ".agentflow" / "dagster-direct" / "said"
    file = site.root / "definitions.py"
    text = file.read_text()
    times = 0

    def taken() -> bool:
        nonlocal times
        times += 1  # Python takes a file of the same length and second for the same.
        file.write_text(text.replace('"first"', f'"{"x" * times}"'))
        run_id, pid, stood_by = carried_out(site, "by_hand")
        assert said.read_text() == "x" * times
        return pid in stood_by and site.pid(run_id) != pid

    wait_until(taken, seconds=60)
    file.write_text(text)


def test_a_project_that_cannot_be_imported_has_none_and_one_once_it_can(site: Site) -> None:
    given_to_a_spare(site, "by_hand")
    file = site.root / "definitions.py"
    text = file.read_text()
    run = site.create("by_hand")
    file.write_text("raise ValueError('not yet written')\n" + text)
    assert site.ended(site.launch(run)) == "FAILURE"
    assert "Could not load job definition" in site.told(run.run_id)
    file.write_text(text)
    given_to_a_spare(site, "by_hand")


def test_one_that_was_killed_is_missed_by_nobody(site: Site) -> None:
    given_to_a_spare(site, "by_hand")
    wait_until(lambda: standing(site))
    for pid in standing(site):
        os.kill(pid, signal.SIGKILL)
    assert site.ended(site.launch(site.create("by_hand"))) == "SUCCESS"
    given_to_a_spare(site, "by_hand")


def test_a_reload_ends_those_of_its_location(site: Site) -> None:
    given_to_a_spare(site, "by_hand")
    wait_until(lambda: standing(site))
    before = standing(site)
    (port,) = free_ports(1)
    site.processes.start([code_server(Project.find(site.root), "agentflow", port)])
    wait_until(lambda: not before & standing(site), seconds=60)


class Standby:
    """Spares whose other ends are held here; a process of each sleeps."""

    def __init__(self) -> None:
        self.ends: dict[int, socket.socket] = {}
        self.like: list[CarryOut] = []
        self.asleep: dict[int, subprocess.Popen[bytes]] = {}
        self.spares = Spares(self.fork)

    def fork(self, like: CarryOut, channel: socket.socket, _: socket.socket) -> int:
        process = subprocess.Popen(["sleep", "600"])
        self.asleep[process.pid] = process
        self.ends[process.pid] = channel.dup()
        self.like.append(like)
        return process.pid


@pytest.fixture
def standby() -> Generator[Standby]:
    made = Standby()
    yield made
    for each in (FIRST, ELSEWHERE):
        made.spares.forget(each.location)
    for process in made.asleep.values():
        process.kill()
        process.wait()
    for end in made.ends.values():
        end.close()


def test_there_is_none_before_the_first_run_and_two_after_it(standby: Standby) -> None:
    standby.spares.add_one()
    assert (standby.like, standby.spares.due_in(0.2)) == ([], None)
    assert standby.spares.take(FIRST) is None
    assert standby.spares.due_in(0.2) == 0.2
    for _ in range(3):
        standby.spares.add_one()
    assert standby.like == [FIRST, FIRST]
    due = standby.spares.due_in(0.2)
    assert due is not None
    assert due > 1


def test_one_is_given_a_run_once_it_is_ready(standby: Standby) -> None:
    standby.spares.take(FIRST)
    standby.spares.add_one()
    assert standby.spares.take(SECOND) is None
    ((pid, end),) = standby.ends.items()
    end.sendall(b"\n")
    assert standby.spares.take(ELSEWHERE) is None
    assert standby.spares.take(SECOND) == pid
    assert end.recv(4096) == SECOND.model_dump_json().encode() + b"\n"
    assert standby.spares.take(SECOND) is None


def test_of_two_locations_each_has_one(standby: Standby) -> None:
    standby.spares.take(FIRST)
    standby.spares.add_one()
    standby.spares.add_one()
    standby.spares.take(ELSEWHERE)
    standby.spares.add_one()
    assert [like.location for like in standby.like] == ["agentflow", "agentflow", "agentflow-2"]
    wait_until(lambda: [p.poll() for p in standby.asleep.values()].count(-signal.SIGTERM) == 1)


def test_those_of_a_location_that_is_loaded_again_are_ended(standby: Standby) -> None:
    standby.spares.take(FIRST)
    standby.spares.add_one()
    standby.spares.forget("agentflow-2")
    ((pid, end),) = standby.ends.items()
    end.sendall(b"\n")
    standby.spares.forget("agentflow")
    assert standby.asleep[pid].wait() == -signal.SIGTERM
    assert standby.spares.take(SECOND) is None
    standby.spares.gone(pid)
    assert standby.spares.due_in(0.2) == 0.2


def test_one_that_ended_by_itself_is_followed_by_one_only_after_a_run(standby: Standby) -> None:
    standby.spares.take(FIRST)
    standby.spares.add_one()
    (pid,) = standby.ends
    standby.spares.gone(pid)
    assert standby.spares.due_in(0.2) is None
    standby.spares.take(SECOND)
    assert standby.spares.due_in(0.2) == 0.2
