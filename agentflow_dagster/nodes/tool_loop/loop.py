"""An attempt at an answer by a model with tools: its turns, their bounds, what they come to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph.inputs import misfit
from agentflow_dagster.nodes.tool_loop.calls import Calls, Consent, Said, Tool
from agentflow_dagster.nodes.tool_loop.fence import Fence
from agentflow_dagster.nodes.tool_loop.turns import Turn, kept, read
from agentflow_dagster.ports.model import Message, ToolSpec
from agentflow_dagster.spec.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from agentflow_dagster.ports.kind import NodeContext
    from agentflow_dagster.ports.model import ModelReply, ModelRequest, ToolCall, Usage
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue, Value

ANSWER = "answer"
"""The tool by which an answer is given that must meet a schema. Every model that calls tools can
give one so, in the call in which it is found, and what is wrong with it goes back to the model as
with any other tool; a reply that must meet a schema would be a call more, or depend on what each
provider makes of tools and a schema at once."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long it may go on.

    Args:
        turns: Most calls of the model.
        calls: Most calls of tools.
        on_limit: What comes then: failure, or an answer without further tools, for which the last
            turn is kept.
        output_bytes: Most of a tool's answer that the model reads.
    """

    turns: int
    calls: int
    on_limit: Literal["fail", "answer"]
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Settled:
    """What is clear of a turn before its calls are made.

    Args:
        answered: Calls that are not made, by id, and what the model reads instead.
        over: Whether the turn has the answer.
        reminder: What the model is told that has said nothing of use; "" where it has.
    """

    answered: tuple[tuple[ToolCall, Said], ...] = ()
    over: bool = False
    reminder: str = ""


@dataclass(frozen=True, slots=True)
class LoopOutcome:
    """What it came to.

    Args:
        text: The answer, where no schema was asked for.
        answer: The one that meets the schema.
        steps: What each tool call came to, in their order.
        usage: One entry for each model call, those in tools included.
        runs: Ids of other runs that tools started.
    """

    text: str
    answer: JsonValue
    steps: tuple[dict[str, Value], ...]
    usage: tuple[Usage, ...]
    runs: tuple[str, ...]


class ToolLoop:
    """Asks the model and makes its calls, each once in a run, however often the node is attempted.

    Args:
        context: The attempt.
        request: The first request, without tools.
        calls: Makes the calls.
        bounds: How long it may go on.
        schema: Of the answer; None takes text.
    """

    def __init__(
        self,
        context: NodeContext,
        request: ModelRequest,
        calls: Calls,
        *,
        bounds: Bounds,
        schema: JsonSchema | None,
    ) -> None:
        self._context = context
        self._calls = calls
        self._bounds = bounds
        self._schema = schema
        self._turns: list[Turn] = []
        self._answer: JsonValue = None
        self.request = request

    @classmethod
    async def begin(
        cls,
        context: NodeContext,
        request: ModelRequest,
        tools: Sequence[Tool],
        *,
        bounds: Bounds,
        schema: JsonSchema | None = None,
        consent: Consent | None = None,
        fails: bool = False,
    ) -> ToolLoop:
        """Begins, or goes on where an attempt before has ended.

        Raises:
            RunError: an attempt before was about something else.
        """
        rules: JsonObject = {
            "system": [one.content for one in request.messages if one.role == "system"],
            "tools": [[tool.name, tool.description, tool.parameters] for tool in tools],
            "schema": schema,
        }
        said = [one.content for one in request.messages]
        shown = [hashlib.sha256(i.data).hexdigest() for m in request.messages for i in m.images]
        asked = _digest({"asked": [*said, *shown], **rules})

        async def first() -> Value:
            return asked

        if await context.sub_steps.once("conversation", first) != asked:
            raise RunError(
                f"{context.path!r} was asked something else in an attempt before, whose "
                "conversation does not fit.",
                hint="Run the agent anew.",
                retryable=False,
            )
        calls = Calls(
            context,
            {tool.name: tool for tool in tools},
            # The same in every run, so that providers know the beginning of what is said again.
            Fence(_digest(rules)[:16]),
            consent or Consent(),
            bounds.output_bytes,
            fails,
        )
        return cls(context, request, calls, bounds=bounds, schema=schema)

    @property
    def system(self) -> str:
        """What the model is told besides what it is asked: its author's words, then ours."""
        said = [one.content for one in self.request.messages if one.role == "system"]
        return "\n\n".join([*said, self._calls.fence.notice])

    @property
    def asked(self) -> tuple[Message, ...]:
        """What it is asked."""
        return tuple(one for one in self.request.messages if one.role != "system")

    @property
    def tools(self) -> dict[str, ToolSpec]:
        """All that it is ever told of, by name."""
        specs = {name: tool.spec for name, tool in self._calls.tools.items()}
        if self._schema is not None:
            what = "Gives your final answer. Call it alone, once you have it."
            specs[ANSWER] = ToolSpec(ANSWER, what, self._schema)
        return specs

    def offer(self) -> tuple[tuple[str, ...], Literal["auto", "required", "none"]]:
        """Names of the tools of the next turn, and whether one must be called.

        Raises:
            RunError: there may be no further turn.
        """
        if len(self._turns) >= self._bounds.turns:
            raise self._endless()
        if self._is_last(len(self._turns)):
            return ((ANSWER,), "required") if self._schema else (tuple(self.tools), "none")
        return tuple(self.tools), "auto" if self._schema is None else "required"

    async def turn(self, ask: Callable[[], Awaitable[ModelReply]]) -> Turn:
        """The next turn: asked for, or kept from an attempt before."""
        number = len(self._turns)
        asked = False

        async def work() -> Value:
            nonlocal asked
            asked = True
            return kept(await ask(), self._context.redacted)

        value = await self._context.sub_steps.once(f"model[{number}]", work)
        found = read(value, frozenset(c.id for turn in self._turns for c in turn.calls))
        self._turns.append(found)
        self._context.tell(_line(number, found, asked=asked))
        return found

    async def settle(self) -> Settled:
        """What is clear of the last turn before its calls are made.

        Raises:
            RunError: it goes past a bound; or nobody can be asked for their consent.
        """
        turn = self._turns[-1]
        if not turn.calls:
            if self._schema is None:
                return Settled(over=True)
            return Settled(reminder=f"Give your answer by calling the tool `{ANSWER}`.")
        number = self._number(turn.calls[0])
        closing = self._is_last(len(self._turns) - 1, before=number)
        answered: list[tuple[ToolCall, Said]] = []
        for number_, call in enumerate(turn.calls, start=number):
            if self._schema is not None and call.name == ANSWER:
                why = self._unfit(call, alone=len(turn.calls) == 1)
                if not why:
                    self._answer = call.arguments
                    return Settled(over=True)
            elif closing:
                raise self._endless()
            elif number_ >= self._bounds.calls:
                if self._bounds.on_limit == "fail":
                    raise self._endless()
                why = "No further tool is called: answer with what you have."
                self._calls.refuse(number_, call, why)
            else:
                why = await self._calls.refusal(number_, call)
            if why:
                answered.append((call, Said(why)))
        return Settled(tuple(answered))

    async def call(self, id_: str) -> Said:
        """Makes one of the last turn's calls, and gives what the model reads of it.

        Raises:
            RunError: it failed, and the node is to fail with it.
        """
        call = next(call for call in self._turns[-1].calls if call.id == id_)
        return await self._calls.make(self._number(call), call)

    def outcome(self) -> LoopOutcome:
        """What it came to, once a turn had the answer."""
        numbers = sorted(self._calls.runs)
        runs = [self._calls.runs[number] for number in numbers]
        return LoopOutcome(
            self._turns[-1].text,
            self._answer,
            tuple(self._calls.steps[number] for number in sorted(self._calls.steps)),
            (
                *(turn.usage for turn in self._turns),
                *(usage for run in runs for usage in run.usage),
            ),
            tuple(run_id for run in runs for run_id in run.runs),
        )

    def _number(self, call: ToolCall) -> int:
        """The number of a call in the conversation."""
        return [c.id for turn in self._turns for c in turn.calls].index(call.id)

    def _is_last(self, turn: int, *, before: int | None = None) -> bool:
        """Whether a turn is to have the answer, because there may be none after it."""
        if self._bounds.on_limit != "answer":
            return False
        made = sum(len(one.calls) for one in self._turns) if before is None else before
        return turn == self._bounds.turns - 1 or made >= self._bounds.calls

    def _unfit(self, call: ToolCall, *, alone: bool) -> str:
        """Why an answer is none, for the model to mend."""
        if not alone:
            return f"Call `{ANSWER}` alone, once you have what the other tools say."
        assert self._schema is not None
        wrong = misfit(self._schema, call.arguments, whole=True)
        return f"The answer does not meet its schema: {wrong}." if wrong else ""

    def _endless(self) -> RunError:
        texts = [turn.text for turn in self._turns if turn.text]
        said = f" Last it said: {_short(texts[-1])!r}." if texts else ""
        return RunError(
            f"{self._context.path!r} has no answer after {len(self._turns)} model calls and "
            f"{sum(len(turn.calls) for turn in self._turns)} tool calls.{said}",
            hint="Raise `maxSteps` or `maxToolCalls`, or say `onLimit: answer`.",
            retryable=False,
        )


def _digest(told: JsonObject) -> str:
    return hashlib.sha256(canonical_json(told).encode("utf-8", "surrogatepass")).hexdigest()


def _line(number: int, turn: Turn, *, asked: bool) -> str:
    """What a person who looks on is told of a turn."""
    last = turn.usage
    cost = "" if last.cost_usd is None else f", ${last.cost_usd:f}"
    calls = f"; calls {', '.join(call.name for call in turn.calls)}" if turn.calls else ""
    took = f"{last.latency_ms:,.0f} ms" if asked else "kept from before"
    tokens = f"{last.tokens_in:,} + {last.tokens_out:,} tokens"
    return f"model call {number + 1}, {last.model}: {took}, {tokens}{cost}{calls}"


def _short(text: str) -> str:
    return text if len(text) <= 500 else f"{text[:499]}…"
