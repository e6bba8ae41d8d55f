"""Kernels of the pool: single use, of their owner alone, and none outlives who has them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from agentflow_dagster.errors import RunError
from agentflow_dagster.notebook.kernels import Lease, Order, borrow
from agentflow_dagster.notebook.kernels import __main__ as program
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def spoken_to(lease: Lease) -> Generator[BlockingKernelClient]:
    client = BlockingKernelClient()
    client.load_connection_info(cast("Any", dict(lease.connection)))
    client.start_channels()
    try:
        client.wait_for_ready(timeout=30)
        yield client
    finally:
        client.stop_channels()
        client.context.destroy(linger=0)


def value_of(lease: Lease, source: str) -> str:
    """What a cell prints."""
    said: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        assert message["msg_type"] != "error", message["content"]
        if message["msg_type"] == "stream":
            said.append(message["content"]["text"])

    with spoken_to(lease) as client:
        client.execute_interactive(source, output_hook=hear, timeout=30)
    return "".join(said).strip()


@contextmanager
def broker() -> Generator[tuple[subprocess.Popen[bytes], str, Path]]:
    """A pool of this test's own: its process, its socket and the folder of its kernels."""
    with tempfile.TemporaryDirectory(prefix="agentflow-") as folder:
        path = Path(folder) / "kernels"
        process = subprocess.Popen(
            [sys.executable, program.__file__, "--socket", str(path), "--ready", "1"],
            env={**os.environ, "TMPDIR": folder},
        )
        try:
            wait_until(path.exists)
            yield process, str(path), Path(folder)
        finally:
            process.kill()
            process.wait()


def group(pid: int) -> list[psutil.Process]:
    """The processes of a kernel's group."""
    return [p for p in psutil.process_iter() if _group_of(p.pid) == pid and not _is_zombie(p)]


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_every_lease_has_a_kernel_of_its_own(pool: str) -> None:
    first, second = borrow(Order(), pool=pool), borrow(Order(), pool=pool)
    assert first.pid != second.pid
    assert value_of(first, "mine = 1; print('mine' in globals())") == "True"
    assert value_of(second, "print('mine' in globals())") == "False"
    draw = "import numpy; print(numpy.random.random())"
    assert value_of(first, draw) != value_of(second, draw)
    for lease in (first, second):
        lease.close()
        wait_until(lambda pid=lease.pid: not group(pid))


def test_it_is_its_owners_alone(pool: str) -> None:
    lease = borrow(Order(), pool=pool)
    folder = Path(str(lease.connection["ip"])).parent
    assert lease.connection["transport"] == "ipc"
    assert (folder / "work").stat().st_mode & 0o077 == 0
    assert folder.parent.stat().st_mode & 0o077 == 0
    assert Path(pool).stat().st_mode & 0o077 == 0
    where = value_of(lease, "import os; print(os.getcwd(), os.environ['JUPYTER_RUNTIME_DIR'])")
    assert where == f"{folder / 'work'} {folder / 'jupyter'}"
    lease.close()
    wait_until(lambda: not folder.exists())


def test_what_it_started_ends_with_the_lease(pool: str) -> None:
    lease = borrow(Order(), pool=pool)
    child = value_of(lease, "import subprocess; print(subprocess.Popen(['sleep', '99']).pid)")
    assert int(child) in {p.pid for p in group(lease.pid)}
    lease.close()
    wait_until(lambda: not group(lease.pid))


def test_an_interrupt_reaches_the_cell(pool: str) -> None:
    lease = borrow(Order(), pool=pool)
    errors: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            lease.interrupt()
        elif message["msg_type"] == "error":
            errors.append(message["content"]["ename"])

    with spoken_to(lease) as client:
        client.execute_interactive(
            "print(1, flush=True)\nimport time\ntime.sleep(99)", output_hook=hear, timeout=30
        )
    assert errors == ["KeyboardInterrupt"]
    assert lease.ended() is None
    lease.close()


def test_how_it_died_is_told(pool: str) -> None:
    lease = borrow(Order(), pool=pool)
    os.kill(lease.pid, signal.SIGKILL)
    ended = wait_until(lease.ended)
    assert ended is not None
    assert ended.status == -signal.SIGKILL
    lease.close()
    wait_until(lambda: not group(lease.pid))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_none_outlives_the_pool(how: signal.Signals) -> None:
    with broker() as (process, path, folder):
        lease = borrow(Order(), pool=path)
        value_of(lease, "import subprocess; subprocess.Popen(['sleep', '99'])")
        ready = wait_until(
            lambda: [p for p in psutil.Process(process.pid).children() if p.pid != lease.pid]
        )
        process.send_signal(how)
        process.wait(20)
        for pid in (lease.pid, ready[0].pid):
            wait_until(lambda pid=pid: not group(pid))
        wait_until(lambda: not list(folder.glob("kernels-*/*")))
        assert lease.ended() is not None
        lease.close()


_BORROWS = """\
import sys
from agentflow_dagster.notebook.kernels import Order, borrow
lease = borrow(Order(), pool=sys.argv[1])
print(lease.pid, flush=True)
sys.stdin.read()
"""


def test_none_outlives_its_borrower(pool: str) -> None:
    borrower = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            _BORROWS,
            pool,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert borrower.stdout is not None
    pid = int(borrower.stdout.readline())
    assert group(pid)
    borrower.kill()
    borrower.communicate()
    wait_until(lambda: not group(pid))


def test_one_that_is_started_for_a_lease_ends_with_it() -> None:
    lease = borrow(Order(), pool="/nobody/listens/here")
    assert value_of(lease, "print(6 * 7)") == "42"
    folder = Path(str(lease.connection["ip"])).parent
    lender = psutil.Process(psutil.Process(lease.pid).ppid())
    lease.close()
    assert not lender.is_running()
    wait_until(lambda: not group(lease.pid) and not folder.exists())


def test_a_kernel_of_another_name(pool: str) -> None:
    with pytest.raises(
        RunError, match=r"'cobol' can be had. There is none of that name; there are"
    ):
        borrow(Order("cobol"), pool=pool)


def test_what_is_no_order_is_refused(pool: str) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as line:
        line.connect(pool)
        line.sendall(b'{"kernel": "python3", "memory": 1}\n')
        assert b"The order is none" in line.recv(1000)
