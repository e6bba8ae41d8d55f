"""How soon a notebook's first cell runs: our pool of kernels beside stock papermill.

    python benchmarks/notebook_start.py [--runs 9] [--record]

All take turns with one notebook: a parameters cell and one that prints the time. *Stock* is the
command `papermill IN OUT -p …`, a process and a kernel for each notebook; *in process* is papermill
called where it is imported already, which is left with the kernel's start; *pool* is the same with
our engine, and a kernel that is ready. A pool's refill is the time from a kernel's being taken
until another is ready in its place. Each figure is a median.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import nbformat
import papermill
import psutil
from results import record

from agentflow_dagster.notebook.kernels import SOCKET_VARIABLE, Order, borrow
from agentflow_dagster.notebook.kernels import __main__ as program
from agentflow_dagster.operations.components import KERNEL_IMPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_LONGEST_SECONDS = 60.0
_nbformat = cast("Any", nbformat)


def notebook(first: str) -> Any:
    parameters = _nbformat.v4.new_code_cell("limit = 1")
    parameters.metadata["tags"] = ["parameters"]
    cells = [parameters, _nbformat.v4.new_code_cell(f"import time\n{first}print(time.time())")]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return _nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def first_cell(done: Any) -> float:
    """When the author's second cell ran (Unix seconds)."""
    return float(done.cells[-1].outputs[0].text)


def stock(folder: Path, told: Any) -> float:
    """Milliseconds of the command."""
    source, target = folder / "in.ipynb", folder / "out.ipynb"
    _nbformat.write(told, source)
    command = [f"{sys.prefix}/bin/papermill", str(source), str(target), "-p", "limit", "2"]
    started = time.time()
    subprocess.run([*command, "--no-progress-bar"], check=True, capture_output=True)
    return (first_cell(_nbformat.read(target, as_version=4)) - started) * 1000


def in_process(folder: Path, told: Any, engine: str | None) -> float:
    """Milliseconds of a call."""
    started = time.time()
    done = cast("Any", papermill).execute_notebook(
        told, str(folder / "out.ipynb"), {"limit": 2}, engine_name=engine, progress_bar=False
    )
    return (first_cell(done) - started) * 1000


@contextmanager
def pool(folder: Path) -> Generator[psutil.Process]:
    """A pool as a running project has it; its process."""
    path = folder / "kernels"
    command = [sys.executable, "-X", "utf8", program.__file__, "--socket", str(path)]
    with subprocess.Popen([*command, "--import", *KERNEL_IMPORTS]) as process:
        os.environ[SOCKET_VARIABLE] = str(path)
        until(path.exists)
        borrow(Order()).close()
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not ready after {_LONGEST_SECONDS:g} s.")
        time.sleep(0.002)


def standing_by(broker: psutil.Process) -> int:
    """How many kernels are ready: those that have all their threads, and wait."""
    return sum(child_is_ready(child) for child in broker.children())


def child_is_ready(child: psutil.Process) -> bool:
    """A kernel tells the pool that it is ready once it writes where it would crash."""
    try:
        folder = Path(child.cwd()).parent
        return (folder / "crash").exists()
    except (psutil.Error, OSError):
        return False


def refill(broker: psutil.Process) -> float:
    """Seconds from taking a kernel until as many are ready again as before."""
    until(lambda: standing_by(broker) >= 2)
    started = time.monotonic()
    lease = borrow(Order())
    until(lambda: standing_by(broker) >= 3)  # The one that is lent among them.
    took = time.monotonic() - started
    lease.close()
    until(lambda: len(broker.children()) <= 2)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the start of notebooks.")
    parser.add_argument("--runs", type=int, default=9, help="rounds to take the medians of")
    parser.add_argument("--record", action="store_true", help="keep the figures")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    bare, tables = notebook(""), notebook("import pandas\n")
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="agentflow-") as name:
        folder = Path(name)
        with pool(folder) as broker:
            for turn in range(given.runs + 1):
                until(lambda: standing_by(broker) >= 2)
                figures = {"pool": in_process(folder, bare, "agentflow")}
                until(lambda: standing_by(broker) >= 2)
                figures["pool, pandas"] = in_process(folder, tables, "agentflow")
                figures["refill"] = refill(broker) * 1000
                figures["in process"] = in_process(folder, bare, None)
                figures["in process, pandas"] = in_process(folder, tables, None)
                figures["stock"] = stock(folder, bare)
                if turn:  # The first round reads what the others find in memory.
                    for what, value in figures.items():
                        taken.setdefault(what, []).append(value)
            memory = broker.memory_full_info().pss + sum(
                child.memory_full_info().pss for child in broker.children()
            )
    medians = {what: statistics.median(values) for what, values in taken.items()}
    for what, value in medians.items():
        print(f"{what:20}{value:9.1f} ms   {min(taken[what]):9.1f} to {max(taken[what]):9.1f}")
    kept = {
        "notebook.warm_start_ms": round(medians["pool"], 1),
        "notebook.warm_start_vs_stock": round(medians["stock"] / medians["pool"], 1),
        "notebook.warm_start_vs_in_process": round(medians["in process"] / medians["pool"], 1),
        "notebook.stock_start_ms": round(medians["stock"], 1),
        "notebook.in_process_start_ms": round(medians["in process"], 1),
        "notebook.warm_pandas_ms": round(medians["pool, pandas"], 1),
        "notebook.in_process_pandas_ms": round(medians["in process, pandas"], 1),
        "notebook.pool_refill_s": round(medians["refill"] / 1000, 3),
        "notebook.pool_mib": round(memory / 1024**2, 1),
    }
    print(json.dumps({"benchmark": "notebook_start", "load": round(load, 1), **kept}))
    if given.record:
        record(kept, load=load)


if __name__ == "__main__":
    main()
