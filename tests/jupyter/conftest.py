"""A real kernel, as JupyterLab starts one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from collections.abc import Generator

    from jupyter_client.blocking.client import BlockingKernelClient


@dataclass
class Ran:
    """What one cell gave back."""

    status: str = ""
    text: str = ""
    shown: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    updated: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    result: str = ""
    error: str = ""
    traceback: str = ""

    @property
    def summary(self) -> str:
        """The text of the one summary shown."""
        (bundle,) = self.shown
        return bundle["text/plain"]


class Kernel:
    """Runs cells in one kernel."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    def run(self, source: str, *answers: str, alone: bool = False) -> Ran:
        """Runs a cell; what it asks is answered in turn. Alone, nobody is there to be asked."""
        ran, left = Ran(), list(answers)

        def answer(message: dict[str, Any]) -> None:
            ran.text += message["content"]["prompt"]
            self._client.input(left.pop(0))

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    ran.text += content["text"]
                case "display_data":
                    ran.shown.append(content["data"])
                case "update_display_data":
                    ran.updated.append(content["data"])
                case "execute_result":
                    ran.result = content["data"]["text/plain"]
                case "error":
                    ran.error = f"{content['ename']}: {content['evalue']}"
                    ran.traceback = "\n".join(content["traceback"])
                case _:
                    pass

        reply = self._client.execute_interactive(
            source, output_hook=take, stdin_hook=answer, allow_stdin=not alone, timeout=60
        )
        ran.status = reply["content"]["status"]
        return ran

    def complete(self, text: str) -> list[str]:
        """What the Tab key offers at the end of a text."""
        asked = self._client.complete(text)
        while True:
            reply = self._client.get_shell_msg(timeout=30)
            if reply["parent_header"]["msg_id"] == asked:
                return list(reply["content"]["matches"])


@pytest.fixture(scope="module")
def shared_kernel() -> Generator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    kernel = Kernel(client)
    assert kernel.run("%colors NoColor").status == "ok"
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(shared_kernel: Kernel) -> Kernel:
    """The module's kernel with an empty namespace and the extension loaded afresh."""
    assert shared_kernel.run("%reset -f\n%reload_ext agentflow_dagster").error == ""
    return shared_kernel
