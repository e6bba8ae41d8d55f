"""A model whose tool call a person is asked about: its run is put away, and asks nothing twice."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

from agentflow_dagster.ports.model import ModelReply, ToolCall, Usage
from tests.orchestration import lane
from tests.orchestration.engine_lane.test_waiting import suspended, until_is, waits

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import ModelRequest
    from tests.orchestration.bench import Bench

HELPER = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: caller}
spec:
  nodes:
    helper:
      kind: ai.agent
      timeout: 20s
      with:
        prompt: Post it.
        approve: always
        people: [mara]
        tools:
          post:
            description: Posts it.
            nodes:
              never: {kind: tool.http, when: "{{1 == 2}}", with: {url: "http://127.0.0.1:9/"}}
            outputs: {posted: true}
"""


async def test_a_call_waits_for_consent_without_the_engine(bench: Bench) -> None:
    bench.serve(HELPER)
    asked: list[int] = []
    usage = Usage(7, 3, Decimal("0.0005"), 12.5, "scripted-1", "scripted")

    def reply(request: ModelRequest) -> ModelReply:
        asked.append(len(request.messages))
        if request.messages[-1].role == "user":
            return ModelReply("", None, usage, (ToolCall("one", "post", {}),))
        return ModelReply(request.messages[-1].content, None, usage)

    bench.model.reply = reply
    async with lane.engine(bench) as engine:
        run_id = await suspended(bench, engine, "caller", {})
        (wait,) = await waits(bench, run_id)
        assert wait.subject == {
            "ask": "'helper' wants to call its tool 'post'.",
            "show": {"tool": "post", "arguments": {}, "call": 0},
        }
        value = {"approved": True}
        await asyncio.to_thread(bench.stores.waits.decide, wait.id, value, by="mara")  # pyright: ignore[reportArgumentType]
        await until_is(bench, run_id, "SUCCESS")
    ran = bench.ran(run_id)
    assert asked == [2, 4]
    assert '{"posted": true}' in str(ran.values["helper"].value)
    assert ran.values["helper"].facts["tokens_in"] == 14
