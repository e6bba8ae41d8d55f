"""What a model says is shown in the cell while it says it, and not after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.testing import Answer, ModelServer

if TYPE_CHECKING:
    from tests.jupyter.conftest import Kernel

CELL = """\
%%node reply --kind ai.chat
Say something.
"""


def test_a_reply_is_seen_growing(kernel: Kernel) -> None:
    said = "One two three four five six seven eight."
    with ModelServer([Answer(said, gap=0.15)]) as server:
        told = server.environment("openai")
        kernel.run("\n".join(f"%env {name}={value}" for name, value in told.items()))
        kernel.run("%reload_ext agentflow_dagster")
        ran = kernel.run(CELL)
        kernel.run("import os\n" + "\n".join(f"os.environ.pop({name!r})" for name in told))
    assert ran.status == "ok", ran.error
    growing = [one["text/plain"] for one in (*ran.shown[:1], *ran.updated)]
    assert len(growing) > 2
    assert all(said.startswith(text.strip()) for text in growing if text.strip())
    assert said in ran.shown[-1]["text/plain"]
    assert kernel.run("reply['text']").result == repr(said)
