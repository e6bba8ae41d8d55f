"""The warm parent itself: whom it answers, and what it must not have."""

from __future__ import annotations

import json
import socket
import stat
from typing import TYPE_CHECKING

import psutil
import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.asked_lines import NobodyListensError
from agentflow_dagster.orchestration.warm.asking import (
    LONGEST,
    CarryOut,
    Interrupt,
    ask,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.orchestration.warm.conftest import Site

RUN = "0" * 8 + "-0000-0000-0000-" + "0" * 12
BAD = {
    "nothing": b"\n",
    "no JSON": b"run it\n",
    "an unknown verb": b'{"do": "format"}\n',
    "no verb": b'{"run_id": "x"}\n',
    "another field": b'{"do": "interrupt", "run_id": "%s", "why": 1}\n' % RUN.encode(),
    "a path for a run": b'{"do": "interrupt", "run_id": "../../../../../../../../etc/passwd-x"}\n',
    "a number for a name": b'{"do": "run", "run_id": "%s", "job": 1, "location": "a"}\n'
    % RUN.encode(),
    "half a line": b'{"do": "interrupt"',
    "too long": b'{"do": "%s"}\n' % (b"x" * LONGEST),
}


def tell(path: Path, line: bytes) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as line_to:
        line_to.settimeout(60)
        line_to.connect(str(path))
        line_to.sendall(line)
        if not line.endswith(b"\n"):
            line_to.shutdown(socket.SHUT_WR)
        return json.loads(line_to.makefile("rb").readline())


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_what_is_no_request_is_refused_and_the_next_one_answered(site: Site, line: bytes) -> None:
    answer = tell(site.socket, line)
    assert answer["pid"] is None
    assert answer["refused"]
    assert ask(str(site.socket), Interrupt(run_id=RUN)).pid is None


def test_who_says_nothing_keeps_nobody_waiting_for_long(site: Site) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(site.socket))
        assert ask(str(site.socket), Interrupt(run_id=RUN)).pid is None


def test_a_run_is_not_started_twice(site: Site) -> None:
    run = site.create("stubborn")
    site.launch(run)
    site.pid(run.run_id)
    with pytest.raises(RunError, match="is under way"):
        ask(str(site.socket), CarryOut(run_id=run.run_id, job="stubborn", location="agentflow"))
    site.instance.run_launcher.terminate(run.run_id)
    assert site.ended(run.run_id) == "CANCELED"


def test_the_socket_is_its_owners_alone(site: Site) -> None:
    assert stat.S_IMODE(site.socket.stat().st_mode) == 0o600


def test_it_has_nothing_that_would_not_survive_a_fork(site: Site) -> None:
    assert site.ended(site.launch(site.create("by_hand"))) == "SUCCESS"
    parent = psutil.Process(site.processes.pid("warm-parent"))
    assert parent.num_threads() == 1
    assert parent.net_connections("inet") == []
    log = site.processes.log("warm-parent").read_text()
    assert "ERROR" not in log


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(NobodyListensError):
        ask(str(tmp_path / "nobody"), Interrupt(run_id=RUN))
