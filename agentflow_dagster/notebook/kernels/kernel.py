"""What a forked process does to be a kernel: gets ready, waits for its order, works.

A Python kernel does all that it can before the order: sockets, shell, threads. What is left then is
to enter its loop. It differs from one that Jupyter starts in what has been imported, in its
environment and in its limits; names, `sys.argv` and the order of `sys.path` are the same.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from agentflow_dagster.notebook.kernels.order import LONGEST, Order

if TYPE_CHECKING:
    import socket
    from types import TracebackType

    from IPython.core.interactiveshell import InteractiveShell

FILE_BYTES = 1024**3
"""Largest file that a kernel may write, as with `code.python`."""
_HEADROOM = 64 * 1024**2
"""Bytes that telling of an exhausted memory may take."""


def run_kernel(file: Path, line: socket.socket, order: Order | None) -> NoReturn:
    """Is a kernel until it is told to end.

    Args:
        file: Its connection file.
        line: Tells the broker that it is ready, and has its order.
        order: Of a kernel that does not stand by.
    """
    if order is None:
        _run_python(file, line)
    _run_other(file, line, order)


def _run_python(file: Path, line: socket.socket) -> NoReturn:
    import faulthandler

    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["ipykernel_launcher.py", "-f", str(file)]
    _seed()
    # `instance` gives Any: what it makes is an IPKernelApp.
    app = cast("Any", IPKernelApp).instance()
    app.initialize(["-f", str(file), "--HistoryManager.enabled=False"])
    faulthandler.enable(file=(file.parent / "crash").open("w"), all_threads=False)
    line.sendall(b"r")
    order = Order.from_line(_line(line))
    line.close()
    _take_place(order)
    if order.memory_bytes is not None:
        app.shell.set_custom_exc((MemoryError,), _tell_of_memory)
    _limit(order.memory_bytes)
    app.start()
    os._exit(0)


def _run_other(file: Path, line: socket.socket, order: Order) -> NoReturn:
    """Becomes a kernel of another kind: its own program, which finds nothing imported."""
    from jupyter_client.kernelspec import KernelSpecManager

    data = os.environ.pop("JUPYTER_DATA_DIR")  # Kernels are looked for where Jupyter has them.
    spec = cast("Any", KernelSpecManager().get_kernel_spec(order.kernel))
    told = {"connection_file": str(file), "prefix": sys.prefix, "resource_dir": spec.resource_dir}
    program: list[str] = [part.format(**told) for part in spec.argv]
    if program[0] in {"python", f"python{sys.version_info[0]}"}:
        program[0] = sys.executable
    os.environ.update({"JUPYTER_DATA_DIR": data, **spec.env})
    _take_place(order)
    _limit(order.memory_bytes)
    line.sendall(b"r")
    os.execvp(program[0], program)


def _line(line: socket.socket) -> bytes:
    """The order; the process ends where there will be none."""
    told = b""
    while not told.endswith(b"\n"):
        part = line.recv(LONGEST)
        if not part:
            os._exit(0)
        told += part
    return told


def _take_place(order: Order) -> None:
    """Goes where the order says, or shows in its own folder what stands beside the notebook."""
    if order.folder:
        os.chdir(order.folder)
    if not order.beside:
        return
    work = Path.cwd()
    for entry in os.scandir(order.beside):
        if not entry.name.startswith("."):
            (work / entry.name).symlink_to(entry.path)


def _seed() -> None:
    """Has NumPy's global generator begin anew: forks of one process would draw the same numbers."""
    if (numpy := sys.modules.get("numpy")) is not None:
        cast("Any", numpy).random.seed()


def _limit(memory_bytes: int | None) -> None:
    """Bounds memory by RLIMIT_DATA, as the code runner does, and the size of files."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    if memory_bytes is None or sys.platform != "linux":
        return
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    limit = used + memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit + _HEADROOM))


def _tell_of_memory(
    shell: InteractiveShell,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """Shows a MemoryError as any other error, with room to do so."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    cast("Any", shell).showtraceback((kind, error, trace), tb_offset=tb_offset)
