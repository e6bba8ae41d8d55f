"""JupyterLab's debugger in a node's cell: breakpoints hold, variables can be looked at."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from collections.abc import Generator

    from jupyter_client.blocking.client import BlockingKernelClient

CELL = "%%node a --timeout 30s\nx = 1\ny = x + 1\nz = y + 1"
SECONDS = 30


class Debugger:
    """Speaks the Debug Adapter Protocol to a kernel, as JupyterLab does."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client
        self._number = 0

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        self._number += 1
        asked = self._client.session.msg(
            "debug_request",
            {
                "type": "request",
                "seq": self._number,
                "command": command,
                "arguments": arguments,
            },
        )
        self._client.control_channel.send(asked)
        while True:
            told = self._client.get_control_msg(timeout=SECONDS)
            if told["parent_header"].get("msg_id") == asked["header"]["msg_id"]:
                return told["content"]

    def stopped(self) -> int:
        """Waits until a breakpoint was reached; the thread that did."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                told = self._client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if told["msg_type"] == "debug_event" and told["content"]["event"] == "stopped":
                return int(told["content"]["body"]["threadId"])
        raise AssertionError("No breakpoint was reached.")


@pytest.fixture
def client() -> Generator[BlockingKernelClient]:
    manager, client = start_new_kernel(kernel_name="python3")
    client.execute_interactive("%load_ext agentflow_dagster", timeout=60)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_breakpoint_in_a_node(client: BlockingKernelClient) -> None:
    debugger = Debugger(client)
    debugger.ask("initialize", clientID="test", adapterID="", pathFormat="path",
                 linesStartAt1=True, columnsStartAt1=True, supportsVariableType=True,
                 supportsRunInTerminalRequest=True, locale="en")  # fmt: skip
    debugger.ask("attach")
    path = debugger.ask("dumpCell", code=CELL)["body"]["sourcePath"]
    debugger.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": 4}],
                 sourceModified=False)  # fmt: skip
    debugger.ask("configurationDone")
    client.execute(CELL)
    thread = debugger.stopped()
    frame = debugger.ask("stackTrace", threadId=thread)["body"]["stackFrames"][0]
    assert (frame["source"]["path"], frame["line"]) == (path, 4)
    seen = debugger.ask("inspectVariables")["body"]["variables"]
    assert {v["name"]: v["value"] for v in seen}.items() >= {"x": "1", "y": "2"}.items()
    debugger.ask("continue", threadId=thread)
    assert client.get_shell_msg(timeout=SECONDS)["content"]["status"] == "ok"
