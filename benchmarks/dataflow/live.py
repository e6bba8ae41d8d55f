"""Runs pairs of cells in a kernel where ipyflow looks on, and asks it what they took.

All pairs run in one kernel, whose names are removed after each: to start one takes two seconds.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agentflow_dagster.notebook.seen import MIME, Seen, read_seen

if TYPE_CHECKING:
    from collections.abc import Generator

    from agentflow_dagster.spec.values import JsonValue
    from benchmarks.dataflow.pairs import Pair

_ASK = """
def _ask():
    import json
    from ipyflow.data_model.cell import Cell
    from agentflow_dagster.jupyter.traced import what_was_seen
    found = {}
    for cell in Cell.current_cells_for_each_id():
        with cell.override_current_cell():
            found[str(cell.id)] = what_was_seen([])
    print(json.dumps(found))
_ask()
"""
_CLEAN = """
for _name in [n for n in globals() if n[0] != "_"]:
    if _name not in {"In", "Out", "get_ipython", "exit", "quit", "open"}:
        del globals()[_name]
"""


class LiveNotebook:
    """One kernel."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._count = 0

    def seen(self, pair: Pair) -> Seen:
        """Runs the cells of a pair; what ipyflow saw them take, by their places.

        Raises:
            RuntimeError: a cell failed.
        """
        cells = (pair.before, pair.first, pair.second)
        self._count += 1
        ids = [f"{self._count}-{place}" for place in range(len(cells))]
        for id_, cell in zip(ids, cells, strict=True):
            if cell:
                self._run(cell, id_)
        told = json.loads(self._run(_ASK, "ask").splitlines()[-1])
        self._run(_CLEAN, "clean")
        outputs: list[JsonValue] = [
            [{"data": {MIME: told[id_]}}] if id_ in told else [] for id_ in ids
        ]
        return read_seen(list(zip(cells, outputs, strict=True)))

    def load(self) -> None:
        self._run("%load_ext ipyflow", "load")

    def _run(self, code: str, id_: str) -> str:
        """Runs a cell under its id; what it printed. `store_history` has to be on for ipyflow."""
        content = {"code": code, "store_history": True, "allow_stdin": False}
        message = self._client.session.msg("execute_request", content)
        message["metadata"]["cellId"] = id_
        self._client.shell_channel.send(message)
        printed = ""
        while True:
            told = self._client.get_iopub_msg(timeout=60)
            if told["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            match told["msg_type"], told["content"]:
                case "stream", {"text": str(text), "name": "stdout"}:
                    printed += text
                case "error", {"evalue": str(why)}:
                    raise RuntimeError(f"A cell failed: {why}\n{code}")
                case "status", {"execution_state": "idle"}:
                    return printed
                case _:
                    pass


@contextmanager
def live_notebook() -> Generator[LiveNotebook]:
    """A kernel for as long as the block lasts."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        notebook = LiveNotebook(client)
        notebook.load()
        yield notebook
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
