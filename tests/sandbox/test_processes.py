"""No process that author's code started outlives its run, in any kind of event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from agentflow_dagster.ports.code import CodeRequest, CodeResult
from agentflow_dagster.sandbox import ChildProcess
from tests.support.code import failure, run

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from agentflow_dagster.ports.code import CodeRunner


class TestProcesses:
    """No process outlives its run."""

    def test_what_it_left_running_is_killed(self) -> None:
        source = "import subprocess\nout = subprocess.Popen(['sleep', '300']).pid"
        _gone(run(source, "out").outputs["out"])

    def test_what_it_left_running_before_a_crash_is_killed(self, tmp_path: Path) -> None:
        source = (
            "import os, pathlib, subprocess\n"
            "pid = subprocess.Popen(['sleep', '300']).pid\n"
            "pathlib.Path(place).write_text(str(pid))\nos.abort()"
        )
        failure(source, inputs={"place": str(tmp_path / "pid")})
        _gone(int((tmp_path / "pid").read_text()))

    def test_one_that_left_the_group_is_not_waited_for(self) -> None:
        source = (
            "import subprocess\n"
            "out = subprocess.Popen(['sleep', '300'], start_new_session=True).pid"
        )
        pid = run(source, "out").outputs["out"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)

    def test_cancelling_kills_at_once(self, tmp_path: Path) -> None:
        fifo = tmp_path / "pids"
        os.mkfifo(fifo)

        async def scenario() -> list[int]:
            task = asyncio.create_task(ChildProcess().run(_that_reports(fifo)))
            pids = await asyncio.to_thread(fifo.read_text)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return [int(pid) for pid in pids.split()]

        for pid in asyncio.run(scenario()):
            _gone(pid)

    def test_all_of_it_ends_with_the_process_that_waits_for_it(self, tmp_path: Path) -> None:
        with _waiting(tmp_path) as (waiting, pids):
            waiting.kill()
        for pid in pids:
            _gone(pid)
        assert [path.name for path in tmp_path.iterdir()] == ["pids"]

    def test_it_ends_though_the_child_is_gone_before_its_watch_looks(self, tmp_path: Path) -> None:
        with _waiting(tmp_path) as (waiting, pids):
            group = [p for p in psutil.process_iter() if os.getpgid(p.pid) == pids[0]]
            (watch,) = [process for process in group if process.pid not in pids]
            watch.suspend()
            waiting.kill()
        child, left = pids
        _gone(child)
        assert psutil.pid_exists(left)
        watch.resume()
        _gone(left)
        assert [path.name for path in tmp_path.iterdir()] == ["pids"]

    def test_the_code_has_no_child_that_it_does_not_know_of(self) -> None:
        source = (
            "import os\ntry:\n    os.wait()\n    out = 'one'\n"
            "except ChildProcessError:\n    out = 'none'"
        )
        assert run(source, "out").outputs == {"out": "none"}


class TestLoops:
    def test_in_a_thread_of_its_own_as_inside_an_op(self) -> None:
        results: list[CodeResult] = []
        thread = threading.Thread(target=lambda: results.append(run("out = 1", "out")))
        thread.start()
        thread.join()
        assert results[0].outputs == {"out": 1}

    def test_one_runner_serves_many_at_once(self) -> None:
        runner: CodeRunner = ChildProcess()

        async def many() -> list[CodeResult]:
            return await asyncio.gather(
                *(runner.run(CodeRequest(f"out = {n} ** 2", ("out",))) for n in range(6))
            )

        assert [r.outputs["out"] for r in asyncio.run(many())] == [n**2 for n in range(6)]


@contextlib.contextmanager
def _waiting(folder: Path) -> Generator[tuple[subprocess.Popen[bytes], list[int]]]:
    """A process that waits for code in a child, and the ids of the child and of what it started."""
    fifo = folder / "pids"
    os.mkfifo(fifo)
    program = (
        "import asyncio, sys\nfrom agentflow_dagster.ports.code import CodeRequest\n"
        "from agentflow_dagster.sandbox import ChildProcess\n"
        f"source = {_that_reports(fifo).source!r}\n"
        f"request = CodeRequest(source, (), inputs={{'fifo': {str(fifo)!r}}})\n"
        "asyncio.run(ChildProcess().run(request))"
    )
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as waiting:
        yield waiting, [int(pid) for pid in fifo.read_text().split()]


def _that_reports(fifo: Path) -> CodeRequest:
    source = (
        "import os, subprocess\nother = subprocess.Popen(['sleep', '300'])\n"
        "with open(fifo, 'w') as f: f.write(f'{os.getpid()} {other.pid}')\n"
        "while True: pass"
    )
    return CodeRequest(source, (), inputs={"fifo": str(fifo)})


def _gone(pid: object) -> None:
    """Waits until no process of this id runs; fails after ten seconds."""
    assert isinstance(pid, int)
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return
    if process.status() != psutil.STATUS_ZOMBIE:  # nobody may be there to collect an orphan
        process.wait(timeout=10)
