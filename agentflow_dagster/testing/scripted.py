"""A model that says what a test scripts: no HTTP, no provider, no LiteLLM."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Self, TypeAlias, cast

from agentflow_dagster.errors import BudgetError, ModelError
from agentflow_dagster.models.scripted import use_scripted
from agentflow_dagster.models.structured import Reply, schema_mismatch
from agentflow_dagster.ports.model import ModelReply, ModelRequest, ToolCall, Usage
from agentflow_dagster.testing.answers import Answer
from agentflow_dagster.testing.received import Price

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agentflow_dagster.ports.model import Listener
    from agentflow_dagster.spec.values import JsonValue
    from agentflow_dagster.testing.answers import Call

Turn: TypeAlias = "Answer | str | Mapping[str, JsonValue] | ModelError | BudgetError"
"""What is said: a whole `Answer`; its text alone; an object, said as JSON; an error, raised."""

Turns: TypeAlias = "Sequence[Turn] | Callable[[ModelRequest], Turn]"
"""Turns in order, the last one for all that follow; or a function of the request."""

PROVIDER = "test"


class ScriptedModel:
    """A `Model` that answers as scripted, and holds the answer against the request as the real one
    is held: a schema is met, a tool that is called was offered and gets what it takes.

    As a context manager it answers as `test/NAME` in the documents that this process runs.

    Args:
        turns: What it says.
        name: By which documents call it.
        price: What its tokens cost; nothing where it is None.
    """

    def __init__(
        self, turns: Turns = ("ok",), *, name: str = "scripted", price: Price | None = None
    ) -> None:
        if not callable(turns) and not len(turns):
            raise ValueError("A script has at least one turn.")
        self._turns = turns
        self._name = name
        self._price = price or Price(Decimal(0), Decimal(0))
        self._requests: list[ModelRequest] = []

    def __enter__(self) -> Self:
        use_scripted(self._name, self)
        return self

    def __exit__(self, *_: object) -> None:
        use_scripted(self._name, None)

    @property
    def model(self) -> str:
        """The name for documents: `test/NAME`."""
        return f"{PROVIDER}/{self._name}"

    @property
    def requests(self) -> tuple[ModelRequest, ...]:
        """What it was asked so far."""
        return tuple(self._requests)

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        """The next turn.

        Raises:
            ModelError: the turn is one; it is empty, was stopped by a filter, misses the schema,
                or calls a tool as it cannot be called; it takes longer than `timeout`.
            BudgetError: the turn is one.
        """
        number = len(self._requests)
        self._requests.append(request)
        if callable(self._turns):
            turn = self._turns(request)
        else:
            turn = self._turns[min(number, len(self._turns) - 1)]
        if isinstance(turn, ModelError | BudgetError):
            raise turn
        answer = _answer(turn).within(request.max_tokens)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(request.timeout):
                await _say(answer, listener)
        except TimeoutError:
            raise self._error(f"had not answered after {request.timeout} s") from None
        return self._reply(request, answer, (time.perf_counter() - started) * 1000)

    def _reply(self, request: ModelRequest, answer: Answer, latency_ms: float) -> ModelReply:
        if answer.finish == "content_filter":
            raise self._error("was stopped by its filter", retryable=False)
        if not answer.text and not answer.calls:
            raise self._error("said nothing")
        output: JsonValue = None
        if request.output_schema is not None and not answer.calls:
            try:
                output = Reply(request.output_schema).read(answer.text)
            except ValueError as error:
                raise self._error(f"said what does not meet the schema: {error}") from None
        usage = Usage(
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
            cost_usd=self._price.of(answer),
            latency_ms=latency_ms,
            model=self.model,
            provider=PROVIDER,
            tokens_cached=answer.tokens_cached,
            tokens_reasoning=answer.tokens_reasoning,
            counted=not answer.usage,
        )
        calls = tuple(self._called(request, n, call) for n, call in enumerate(answer.calls))
        return ModelReply(answer.text, output, usage, calls)

    def _called(self, request: ModelRequest, number: int, call: Call) -> ToolCall:
        tool = next((tool for tool in request.tools if tool.name == call.name), None)
        if tool is None:
            offered = ", ".join(tool.name for tool in request.tools) or "none"
            raise self._error(f"calls the tool {call.name!r}; offered: {offered}")
        if isinstance(call.arguments, str):
            raise self._error(f"calls {call.name!r} with what is no JSON: {call.arguments!r}")
        if wrong := schema_mismatch(cast("JsonValue", call.arguments), tool.parameters):
            raise self._error(f"calls {call.name!r} with what it does not take: {wrong}")
        return ToolCall(call.id or f"call_{number + 1}", call.name, call.arguments)

    def _error(self, what: str, *, retryable: bool = True) -> ModelError:
        return ModelError(
            f"The scripted model {self.model} {what}.",
            model=self.model,
            provider=PROVIDER,
            retryable=retryable,
            hint=f"It was its turn {len(self._requests)}; mend the script, or expect the error.",
        )


def _answer(turn: Answer | str | Mapping[str, JsonValue]) -> Answer:
    if isinstance(turn, Answer):
        return turn
    return Answer(turn if isinstance(turn, str) else json.dumps(dict(turn), ensure_ascii=False))


async def _say(answer: Answer, listener: Listener | None) -> None:
    if answer.delay:
        await asyncio.sleep(answer.delay)
    if listener is None:
        return
    for number, piece in enumerate(answer.pieces):
        if number and answer.gap:
            await asyncio.sleep(answer.gap)
        listener.text(piece)
