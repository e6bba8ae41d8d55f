"""Makes one call of one model through LiteLLM, which speaks every provider's protocol.

Nothing is tried again here, nothing is checked against a schema, and nobody is charged: that is
`plane.py`'s. What LiteLLM takes for an answer and is none (a stream that was cut, an empty one, one
that a filter stopped) fails here.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.call_failures import CallFailed, call_failed, timed_out
from agentflow_dagster.models.guard import refuse_real_call
from agentflow_dagster.models.litellm_loading import load_litellm, unreported
from agentflow_dagster.models.messages import call_of
from agentflow_dagster.models.pricing import cost
from agentflow_dagster.models.stream_watch import StreamWatch
from agentflow_dagster.ports.model import Usage

if TYPE_CHECKING:
    from agentflow_dagster.models.catalogue import Entry
    from agentflow_dagster.models.choice import Choice
    from agentflow_dagster.models.structured import Reply
    from agentflow_dagster.ports.model import Listener, ModelRequest


_NO_LIMIT = 86_400.0
"""Seconds, the same for all calls: of OpenAI's and Gemini's protocol LiteLLM has a client, and
connections, for each limit that it is given. Whoever calls `ask` has one of its own."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds.

    Args:
        whole: For the whole call.
        first: For a streamed reply to begin.
        silence: Between two pieces of it.
    """

    whole: float
    first: float
    silence: float


@dataclass(frozen=True, slots=True)
class RawToolCall:
    """A tool call as it came: `arguments` may be anything."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said.

    Args:
        text: As it came.
        tool_calls: What it wants called.
        cut: It had more to say than it may.
        usage: What it took.
    """

    text: str
    tool_calls: tuple[RawToolCall, ...]
    cut: bool
    usage: Usage


@dataclass(slots=True)
class _Heard:
    """What has come of a reply to a call that began at `started` (seconds)."""

    started: float
    text: str = ""
    finish: str | None = None
    model: str = ""
    counted: Any = None
    first_ms: float | None = None

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000


async def ask(
    request: ModelRequest,
    choice: Choice,
    entry: Entry,
    *,
    reply: Reply | None,
    patience: Patience,
    listener: Listener | None,
) -> Answer:
    """Has one model answer.

    Args:
        request: The call; its `max_tokens` is what is granted.
        choice, entry: The model.
        reply: How a checked reply is asked for.
        patience: How long is waited; for the whole, by whoever calls.
        listener: Hears the reply while it comes; None asks for it as a whole.

    Raises:
        CallFailed: it did not, and what that may have cost.
    """
    try:
        refuse_real_call(
            choice.base, provider=choice.provider, model=choice.model, environment=os.environ
        )
    except ModelError as error:
        raise CallFailed(error, outcome="refused", again=False, elsewhere=False) from None
    # In a thread where it is still to be imported, which takes seconds.
    litellm: Any = (
        load_litellm() if "litellm" in sys.modules else await asyncio.to_thread(load_litellm)
    )
    call = {**call_of(request, choice, entry, reply), "timeout": _NO_LIMIT}
    heard = _Heard(time.perf_counter())
    try:
        with unreported():
            if listener is None:
                tools = _whole(await litellm.acompletion(**call), heard)
            else:
                options = {"include_usage": True}
                opening = litellm.acompletion(**call, stream=True, stream_options=options)
                stream = await _begun(opening, choice, patience)
                tools = await _listened(stream, choice, patience, listener, heard)
    except CallFailed:
        raise
    except Exception as error:  # noqa: BLE001 - LiteLLM raises much more than its own
        # `from None`: the provider's error may quote the key, and Dagster shows causes.
        failed = call_failed(error, choice, timeout=patience.whole)
        if heard.first_ms is not None:
            failed.outcome = "lost"
        raise failed from None
    latency_ms = heard.elapsed_ms
    counted, given = await _counts(heard, tools, call, choice)
    usage = Usage(
        tokens_in=int(counted.prompt_tokens),
        tokens_out=int(counted.completion_tokens or 0),
        cost_usd=cost(counted, entry, choice),
        latency_ms=latency_ms,
        model=heard.model or choice.model,
        provider=choice.provider,
        tokens_cached=_detail(counted, "prompt_tokens_details", "cached_tokens"),
        tokens_reasoning=_detail(counted, "completion_tokens_details", "reasoning_tokens"),
        counted=not given,
        first_token_ms=heard.first_ms,
    )
    _refuse_none(heard, tools, choice, usage)
    return Answer(heard.text, tools, heard.finish == "length", usage)


def _whole(response: Any, heard: _Heard) -> tuple[RawToolCall, ...]:
    heard.model, heard.counted = str(response.model or ""), getattr(response, "usage", None)
    if not response.choices:
        return ()
    said = response.choices[0]
    content = said.message.content
    heard.text = content if isinstance(content, str) else ""
    heard.finish = said.finish_reason
    calls = said.message.tool_calls or ()
    return tuple(
        RawToolCall(str(c.id or n), str(c.function.name or ""), str(c.function.arguments or ""))
        for n, c in enumerate(calls)
    )


async def _begun(opening: Any, choice: Choice, patience: Patience) -> Any:
    try:
        return await asyncio.wait_for(opening, patience.first)
    except TimeoutError:
        raise timed_out(choice, f"had not begun to answer after {patience.first:g} s") from None


async def _listened(
    stream: Any, choice: Choice, patience: Patience, listener: Listener, heard: _Heard
) -> tuple[RawToolCall, ...]:
    pieces = dict[int, list[str]]()
    watch = StreamWatch(stream)
    now = asyncio.get_running_loop().time
    limit = patience.first
    # One limit that is put off at each piece: `wait_for` would make each a task of its own.
    silence = asyncio.timeout(limit)
    try:
        async with silence:
            async for chunk in stream:
                if heard.first_ms is None:
                    heard.first_ms, limit = heard.elapsed_ms, patience.silence
                watch.look()
                _take(chunk, heard, pieces, listener)
                silence.reschedule(now() + limit)
    except TimeoutError:
        if not silence.expired():
            raise
        raise timed_out(choice, f"fell silent for {limit:g} s in its reply") from None
    finally:
        await _close(stream)
    if not watch.is_whole():
        raise CallFailed(
            ModelError(
                f"The reply of {choice.name} did not arrive whole.",
                model=choice.model,
                provider=choice.provider,
            ),
            outcome="lost",
        )
    heard.finish = heard.finish or str(stream.received_finish_reason or "stop")
    return tuple(RawToolCall(*parts) for _, parts in sorted(pieces.items()))


def _take(chunk: Any, heard: _Heard, pieces: dict[int, list[str]], listener: Listener) -> None:
    heard.model = str(getattr(chunk, "model", None) or heard.model)
    counted = getattr(chunk, "usage", None)
    if counted is not None and getattr(counted, "prompt_tokens", 0):
        heard.counted = counted
    if not chunk.choices:
        return
    said = chunk.choices[0]
    heard.finish = said.finish_reason or heard.finish
    if piece := said.delta.content:
        heard.text += piece
        listener.text(piece)
    for call in said.delta.tool_calls or ():
        parts = pieces.setdefault(int(call.index or 0), ["", "", ""])
        parts[0] = parts[0] or str(call.id or "")
        parts[1] = parts[1] or str(call.function.name or "")
        parts[2] += call.function.arguments or ""


async def _close(stream: Any) -> None:
    closing = getattr(stream, "aclose", None)
    if closing is not None:
        try:
            await closing()
        except Exception:  # noqa: BLE001 - it is over, whatever it says of its end
            return


def _refuse_none(
    heard: _Heard, tools: tuple[RawToolCall, ...], choice: Choice, usage: Usage
) -> None:
    """Fails where nothing was said, or a filter stopped it."""
    filtered = heard.finish == "content_filter"
    if (heard.text or tools) and not filtered:
        return
    why = "stopped by the provider's content filter" if filtered else "empty"
    raise CallFailed(
        ModelError(
            f"The reply of {choice.name} is {why} (finish reason {heard.finish!r}).",
            model=choice.model,
            provider=choice.provider,
            retryable=not filtered,
            hint="Raise max_tokens." if heard.finish == "length" else "",
        ),
        outcome="invalid",
        usage=usage,
        again=not filtered and heard.finish != "length",
        elsewhere=not filtered,
    )


async def _counts(
    heard: _Heard, tools: tuple[RawToolCall, ...], call: dict[str, object], choice: Choice
) -> tuple[Any, bool]:
    """LiteLLM's usage of a call, and whether the provider gave it; it is counted otherwise."""
    if getattr(heard.counted, "prompt_tokens", 0):
        return heard.counted, True
    said = heard.text + "".join(f"{tool.name}{tool.arguments}" for tool in tools)
    return await asyncio.to_thread(_counted, call, said, choice), False


def _counted(call: dict[str, object], said: str, choice: Choice) -> Any:
    litellm: Any = load_litellm()
    tokens_in = int(
        litellm.token_counter(
            model=choice.model, messages=call["messages"], tools=call.get("tools")
        )
    )
    tokens_out = int(litellm.token_counter(model=choice.model, text=said))
    return litellm.Usage(
        prompt_tokens=tokens_in, completion_tokens=tokens_out, total_tokens=tokens_in + tokens_out
    )


def _detail(counted: Any, group: str, name: str) -> int:
    return int(getattr(getattr(counted, group, None), name, None) or 0)


def provider_of(model: str) -> str | None:
    """The provider that LiteLLM takes a model's name for; None where it knows none."""
    litellm: Any = load_litellm()
    try:
        return str(litellm.get_llm_provider(model)[1])
    except litellm.exceptions.BadRequestError:
        return None
