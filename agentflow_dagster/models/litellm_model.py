"""Answers requests through LiteLLM, which speaks every provider's protocol.

LiteLLM takes seconds to import, so that happens at the first call, in a thread. It retries nothing
here (the engine does, and counts its attempts), fetches nothing but the answer, and prints nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.litellm_errors import model_error
from agentflow_dagster.models.structured import Reply
from agentflow_dagster.ports.model import ModelReply, Usage

if TYPE_CHECKING:
    from types import ModuleType

    from agentflow_dagster.models.choice import Choice
    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonValue


async def complete(request: ModelRequest, choice: Choice) -> ModelReply:
    """Answers one request with the chosen model.

    A parameter that the model does not take (`temperature` with a reasoning model) is left out.

    Raises:
        ModelError: the provider failed or refused, or its reply is empty or misses the schema.
    """
    litellm = await asyncio.to_thread(load_litellm)
    import openai  # LiteLLM has imported it by now

    reply = None if request.output_schema is None else Reply(request.output_schema)
    call = _call(request, choice, reply, litellm)
    started = time.perf_counter()
    try:
        response: Any = await litellm.acompletion(**call)
    except openai.OpenAIError as error:
        # `from None`: the provider's error may quote the key, and Dagster shows causes.
        raise model_error(error, choice, timeout=request.timeout) from None
    latency_ms = (time.perf_counter() - started) * 1000
    text = _text(response, choice)
    return ModelReply(
        text=text,
        output=_output(text, reply, response, choice),
        usage=_usage(response, call, choice, litellm, text=text, latency_ms=latency_ms),
    )


def provider_of(model: str) -> str | None:
    """The provider that LiteLLM takes a model's name for; None where it knows none."""
    litellm = load_litellm()
    try:
        return str(litellm.get_llm_provider(model)[1])
    except litellm.exceptions.BadRequestError:
        return None


def load_litellm() -> ModuleType:
    """The library, told to keep quiet and to use the prices that it ships with."""
    # Read at import: without it LiteLLM asks the network for newer prices first.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    library: Any = litellm
    library.suppress_debug_info = True
    # Its warnings are about its own logging queue, which we do not use.
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    return library


def _call(
    request: ModelRequest, choice: Choice, reply: Reply | None, litellm: Any
) -> dict[str, Any]:
    messages = [{"role": m.role, "content": m.content} for m in request.messages]
    call: dict[str, Any] = {
        "model": choice.name,
        "api_key": choice.key,
        "api_base": choice.base,
        "api_version": choice.version,
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "timeout": request.timeout,
    }
    if reply is not None:
        if litellm.supports_response_schema(choice.model, choice.provider):
            call["response_format"] = reply.response_format
        else:
            messages.insert(0, {"role": "system", "content": reply.instruction})
    given = {name: value for name, value in call.items() if value is not None}
    return {
        **given,
        "messages": messages,
        "num_retries": 0,
        "max_retries": 0,
        "drop_params": True,
    }


def _text(response: Any, choice: Choice) -> str:
    said = response.choices[0]
    text = said.message.content
    if isinstance(text, str) and text:
        return text
    raise ModelError(
        f"{choice.name} gave no text (finish reason {said.finish_reason!r}).",
        model=choice.model,
        provider=choice.provider,
        retryable=said.finish_reason != "content_filter",
        hint="Raise max_tokens." if said.finish_reason == "length" else "",
    )


def _output(text: str, reply: Reply | None, response: Any, choice: Choice) -> JsonValue:
    if reply is None:
        return None
    try:
        return reply.read(text)
    except ValueError as error:
        cut = response.choices[0].finish_reason == "length"
        raise ModelError(
            f"The reply of {choice.name} does not meet its schema: {error}.",
            model=choice.model,
            provider=choice.provider,
            hint="It was cut off: raise max_tokens." if cut else "",
        ) from error


def _usage(
    response: Any,
    call: dict[str, Any],
    choice: Choice,
    litellm: Any,
    *,
    text: str,
    latency_ms: float,
) -> Usage:
    counted = getattr(response, "usage", None)
    tokens_in, tokens_out = (
        int(getattr(counted, "prompt_tokens", 0) or 0),
        int(getattr(counted, "completion_tokens", 0) or 0),
    )
    if not tokens_in:
        # The provider gave no figures: LiteLLM's tokenizer counts what was sent and received.
        tokens_in = int(litellm.token_counter(model=choice.model, messages=call["messages"]))
        tokens_out = int(litellm.token_counter(model=choice.model, text=text))
        response = None
    return Usage(
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=_cost(response, choice, litellm, tokens_in, tokens_out),
        latency_ms=latency_ms,
        model=str(getattr(response, "model", None) or choice.model),
        provider=choice.provider,
    )


def _cost(
    response: Any, choice: Choice, litellm: Any, tokens_in: int, tokens_out: int
) -> Decimal | None:
    try:
        if response is None:
            prices = litellm.cost_per_token(
                model=choice.model,
                custom_llm_provider=choice.provider,
                prompt_tokens=tokens_in,
                completion_tokens=tokens_out,
            )
            cost = float(sum(prices))
        else:
            cost = float(
                litellm.completion_cost(
                    completion_response=response,
                    model=choice.model,
                    custom_llm_provider=choice.provider,
                )
            )
    except litellm.exceptions.ModelNotMappedError:
        return None
    # A float's tail is not a price: 12 places are a millionth of a millionth of a dollar.
    return Decimal(str(round(cost, 12)))
