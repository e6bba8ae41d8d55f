"""`offline/extractive` as a provider inside LiteLLM, for code that speaks to LiteLLM itself.

    register_offline()
    litellm.completion("offline/extractive", messages=[…])

AgentFlow's own nodes do not need it: `ModelPlane` calls the offline model directly.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from agentflow_dagster.models.litellm_loading import load_litellm
from agentflow_dagster.models.offline import MODEL, PROVIDER, OfflineModel
from agentflow_dagster.ports.model import Message, ModelRequest

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import ModelReply


def register_offline(model: OfflineModel | None = None) -> None:
    """Makes LiteLLM answer `offline/…` here. Doing so again replaces the model."""
    litellm: Any = load_litellm()
    litellm.custom_provider_map = [
        *(entry for entry in litellm.custom_provider_map if entry["provider"] != PROVIDER),
        {"provider": PROVIDER, "custom_handler": _handler(model or OfflineModel(), litellm)},
    ]
    # What LiteLLM does with the map at each of its own calls, done now so that names resolve.
    litellm.utils.custom_llm_setup()


def _handler(offline: OfflineModel, litellm: Any) -> object:
    base: Any = litellm.CustomLLM

    class OfflineProvider(base):
        """LiteLLM's two ways of asking; both answer the same."""

        def completion(self, *_: object, **call: Any) -> Any:
            reply = asyncio.run(offline.complete(_request(call)))
            return _response(reply, call["model_response"], litellm)

        async def acompletion(self, *_: object, **call: Any) -> Any:
            reply = await offline.complete(_request(call))
            return _response(reply, call["model_response"], litellm)

    return OfflineProvider()


def _request(call: dict[str, Any]) -> ModelRequest:
    options: dict[str, Any] = call.get("optional_params") or {}
    asked: dict[str, Any] = options.get("response_format") or {}
    return ModelRequest(
        messages=tuple(Message(m["role"], m["content"]) for m in call["messages"]),
        model=MODEL,
        output_schema=asked.get("json_schema", {}).get("schema"),
        max_tokens=options.get("max_tokens"),
    )


def _response(reply: ModelReply, response: Any, litellm: Any) -> Any:
    response.model = MODEL
    response.choices[0].message.content = reply.text
    response.choices[0].finish_reason = "stop"
    response.usage = litellm.Usage(
        prompt_tokens=reply.usage.tokens_in,
        completion_tokens=reply.usage.tokens_out,
        total_tokens=reply.usage.tokens_in + reply.usage.tokens_out,
    )
    return response
