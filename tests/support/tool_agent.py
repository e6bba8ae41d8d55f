"""An agent with a tool, and a model that says what it was given to say."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.ports.model import ModelReply, ToolCall
from tests.support.contexts import USAGE, SmallModel
from tests.support.documents import minimal
from tests.support.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.model import Listener, ModelRequest
    from agentflow_dagster.spec.values import JsonObject, JsonValue

NUMBER: JsonObject = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}

ANSWER: JsonObject = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "integer"}},
}


def says(text: str = "", /, *calls: tuple[str, JsonObject], ids: Sequence[str] = ()) -> ModelReply:
    """A reply: a text, and calls of tools with their arguments."""
    told = [
        ToolCall(ids[i] if ids else f"id{i}", name, arguments)
        for i, (name, arguments) in enumerate(calls)
    ]
    return ModelReply(text, None, USAGE, tuple(told))


@dataclass
class Talker(SmallModel):
    """Says one reply after the other."""

    replies: deque[ModelReply] = field(default_factory=deque[ModelReply])

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        self.requests.append(request)
        return self.replies.popleft()


def tool(code: str = "d = n * 2", **more: JsonValue) -> JsonObject:
    """One that computes `d` of `n`."""
    node: JsonObject = {
        "kind": "code.python",
        "with": {
            "code": code,
            "inputs": {"n": "{{args.n}}"},
            "outputs": {"d": {"type": "integer"}},
        },
    }
    return {
        "description": "Doubles a number.",
        "parameters": NUMBER,
        "nodes": {"work": node},
        "outputs": {"d": "{{work.output.d}}"},
        **more,
    }


def agent(**config: JsonValue) -> JsonObject:
    given: JsonObject = {"prompt": "How much?", "tools": {"double": tool()}, **config}
    return minimal({"helper": {"kind": "ai.agent", "with": given}})


def bench(*replies: ModelReply) -> InMemory:
    return InMemory(model=Talker(replies=deque(replies)))


async def output(bench: InMemory, document: JsonObject) -> dict[str, Any]:
    return cast("dict[str, Any]", await bench.output(document, "helper"))


async def failure(bench: InMemory, document: JsonObject) -> Exception:
    return (await bench.run(document)).failures["helper"]


def read(bench: InMemory, turn: int) -> list[tuple[str, str]]:
    """What the model reads at a turn: roles and texts, the marks around data taken off."""
    told = bench.model.requests[turn].messages
    texts = [
        (m.role, m.content.partition("\n")[2].rpartition("\n")[0] if m.tainted else m.content)
        for m in told
    ]
    return [one for one in texts if one[0] != "system"]
