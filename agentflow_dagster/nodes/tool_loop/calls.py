"""The calls that a model asks for: judged, allowed by a person where that is wanted, and made."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from agentflow_dagster.errors import BudgetError, RunError, UnknownOutcome
from agentflow_dagster.graph.inputs import conform, misfit
from agentflow_dagster.nodes.tool_loop.fence import told
from agentflow_dagster.ports.model import ToolSpec
from agentflow_dagster.ports.waits import Asked
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.nodes.tool_loop.fence import Fence
    from agentflow_dagster.ports.bodies import BodyRun
    from agentflow_dagster.ports.kind import NodeContext
    from agentflow_dagster.ports.model import ToolCall
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, Value


@dataclass(frozen=True, slots=True)
class Tool:
    """A body of the node that the model may have run.

    Args:
        name: The body's.
        description: When to call it.
        parameters: JSON Schema of its arguments.
    """

    name: str
    description: str
    parameters: JsonSchema

    @property
    def spec(self) -> ToolSpec:
        """As the model is told of it."""
        return ToolSpec(self.name, self.description, self.parameters)


@dataclass(frozen=True, slots=True)
class Consent:
    """When a person is asked before a tool changes something outside.

    Args:
        when: `tainted` asks once the model has read what comes from outside.
        people: Who may say; empty where anyone may.
        seconds: How long they have; None as long as it takes. Nobody's word is a no.
    """

    when: Literal["never", "tainted", "always"] = "never"
    people: tuple[str, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a model is answered to a call."""

    text: str
    tainted: bool = False


@dataclass
class Calls:
    """The tool calls of one attempt, by their number in the conversation.

    Args:
        context: The attempt.
        tools: By name.
        fence: Goes around what they give.
        consent: Who is asked before them.
        most_bytes: Of an answer that the model reads.
        fails: Whether a tool that fails fails the node, rather than being told.
        tainted: Whether the model has read what comes from outside.
        allowed: Those that a person has allowed.
        steps: What each call came to.
        runs: Of those whose body ran to its end.
    """

    context: NodeContext
    tools: Mapping[str, Tool]
    fence: Fence
    consent: Consent
    most_bytes: int
    fails: bool
    tainted: bool = False
    allowed: set[int] = field(default_factory=set[int])
    steps: dict[int, dict[str, Value]] = field(default_factory=dict[int, "dict[str, Value]"])
    runs: dict[int, BodyRun] = field(default_factory=dict[int, "BodyRun"])

    async def refusal(self, number: int, call: ToolCall) -> str:
        """Why a call is not made, for the model to mend; "" where it is.

        Raises:
            RunError: nobody can be asked here.
        """
        tool = self.tools.get(call.name)
        if tool is None:
            why = f"There is no tool {call.name!r}. There are: {', '.join(self.tools)}."
        elif wrong := misfit(tool.parameters, _complete(tool, call), whole=True):
            why = f"The arguments do not fit the tool's parameters: {wrong}."
        else:
            why = await self._word_of_a_person(number, call)
        if why:
            self.refuse(number, call, why)
        return why

    def refuse(self, number: int, call: ToolCall, why: str) -> None:
        """Notes a call that is not made."""
        self._note(number, call, {"error": why})
        self.context.tell(f"tool call {number + 1}, {call.name}: refused, {why}")

    async def make(self, number: int, call: ToolCall) -> Said:
        """What the model reads of a call that was found good. One that an attempt before has made
        is not made again; where it had failed, that is what it came to.

        Raises:
            RunError: it failed, and the node is to fail with it.
        """
        started = time.perf_counter()
        # As the parameters have them: whole numbers where they say so, and so on.
        arguments = conform(
            cast("Value", _complete(self.tools[call.name], call)), self.tools[call.name].parameters
        )
        found: BodyRun | None = None

        async def run() -> BodyRun:
            names: dict[str, Value] = {"args": arguments}
            allowed = number in self.allowed
            return await self.context.bodies.run(call.name, number, names, allowed=allowed)

        async def work() -> Value:
            nonlocal found
            try:
                found = await run()
            except (BudgetError, UnknownOutcome):
                raise
            except RunError as failure:
                if self.fails:
                    raise
                return {"error": str(failure)}
            return {"error": None}

        # What it gave is kept by the body's own steps.
        came = cast("dict[str, Value]", await self.context.sub_steps.once(f"tool[{number}]", work))
        self.tainted = True
        spent = f"{(time.perf_counter() - started) * 1000:,.0f} ms"
        if (error := came["error"]) is not None:
            self._note(number, call, {"error": error})
            self.context.tell(f"tool call {number + 1}, {call.name}: failed, {spent}")
            text = told(f"The tool failed: {error}", most=self.most_bytes)
            return Said(self.fence.around(text), tainted=True)
        done = found or await run()
        self.runs[number] = done
        self._note(number, call, {"output": done.outputs})
        self.context.tell(f"tool call {number + 1}, {call.name}: {spent}")
        return Said(self.fence.around(told(done.outputs, most=self.most_bytes)), tainted=True)

    async def _word_of_a_person(self, number: int, call: ToolCall) -> str:
        asks = self.consent.when == "always" or (self.consent.when == "tainted" and self.tainted)
        if not asks or not self.context.bodies.is_external(call.name):
            return ""

        async def work() -> Value:
            answer = await self.context.waits.answer(
                Asked(
                    "approval",
                    {
                        "ask": f"{self.context.path!r} wants to call its tool {call.name!r}.",
                        "show": {"tool": call.name, "arguments": call.arguments, "call": number},
                    },
                    due=self.consent.seconds,
                    people=self.consent.people,
                )
            )
            approved = isinstance(answer.value, dict) and answer.value.get("approved") is True
            return {"approved": approved, "by": answer.by, "note": answer.note}

        said = cast(
            "dict[str, Value]", await self.context.sub_steps.once(f"approval[{number}]", work)
        )
        if said["approved"] is True:
            self.allowed.add(number)
            return ""
        if said["by"] is None:
            return "Nobody has allowed this call in time, so it was not made."
        note = f" They wrote: {said['note']}" if said["note"] else ""
        return f"A person has refused this call, so it was not made.{note}"

    def _note(self, number: int, call: ToolCall, came: dict[str, Value]) -> None:
        arguments = cast("Value", call.arguments)
        self.steps[number] = {"tool": call.name, "arguments": arguments, **came}


def _complete(tool: Tool, call: ToolCall) -> JsonObject:
    """A call's arguments with what its parameters say for those that are left out."""
    known = properties(tool.parameters)
    defaults = {name: inner["default"] for name, inner in known.items() if "default" in inner}
    return {**defaults, **call.arguments}
