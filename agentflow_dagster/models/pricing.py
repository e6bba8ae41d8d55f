"""What a call may cost at most, and what it did cost.

The bound holds for tokenizers that work on bytes, as all of today's do: none makes more tokens of a
text than it has bytes in UTF-8.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any

from agentflow_dagster.models.litellm_loading import load_litellm

if TYPE_CHECKING:
    from agentflow_dagster.models.catalogue import Entry
    from agentflow_dagster.models.choice import Choice
    from agentflow_dagster.ports.model import ModelRequest

_PER_CALL = 500
_PER_MESSAGE = 20
"""Tokens that protocols put around a call (tool calling has a preamble of some hundreds), and
around a message."""
_PER_IMAGE = 50_000
"""What the dearest way of counting an image (gpt-4o-mini's, at full size) comes to."""
_USEFUL_OUTPUT = 16
"""Tokens of output below which a call is not worth making."""
_UNLISTED_OUTPUT = 4_096
"""Most tokens of output, where neither the call nor the list has a limit."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a call may take.

    Args:
        tokens_in: At most.
        tokens_out: At most, did nobody lower it.
        entry: The model.
    """

    tokens_in: int
    tokens_out: int
    entry: Entry

    @property
    def most_usd(self) -> Decimal | None:
        """Its price at most; None where prices are not known."""
        return self._price(self.tokens_out)

    @property
    def least_usd(self) -> Decimal:
        """With as little output as is of use."""
        return self._price(min(self.tokens_out, _USEFUL_OUTPUT)) or Decimal(0)

    def tokens_for(self, usd: Decimal) -> int:
        """Tokens of output that a grant pays for, beside all of the input."""
        price_in, price_out = self.entry.price_in, self.entry.price_out
        if not price_out or price_in is None:
            return self.tokens_out
        left = (usd - price_in * self.tokens_in) / price_out
        return min(self.tokens_out, int(left.to_integral_value(ROUND_DOWN)))

    def _price(self, tokens_out: int) -> Decimal | None:
        if self.entry.price_in is None or self.entry.price_out is None:
            return None
        return self.entry.price_in * self.tokens_in + self.entry.price_out * tokens_out


def bound(request: ModelRequest, entry: Entry, *, beside: int = 0) -> Bound:
    """What a call of a model may take at most.

    Args:
        request: The call.
        entry: The model.
        beside: Bytes that are sent beside it: a schema in words, a failed reply.
    """
    limit = entry.max_output or _UNLISTED_OUTPUT
    out = request.max_tokens or limit
    return Bound(bytes_of(request) + beside + _PER_CALL, out, entry)


def bytes_of(request: ModelRequest) -> int:
    """Tokens that a request's texts and pictures come to at most."""
    size = 0
    for message in request.messages:
        size += len(message.content.encode()) + _PER_MESSAGE
        size += _PER_IMAGE * len(message.images)
        for call in message.tool_calls:
            size += len(json.dumps(call.arguments)) + len(call.name) + _PER_MESSAGE
    for tool in request.tools:
        size += len(json.dumps(tool.parameters)) + len(tool.description.encode()) + _PER_MESSAGE
    if request.output_schema is not None:
        size += len(json.dumps(request.output_schema)) + _PER_MESSAGE
    return size


def cost(counted: object, entry: Entry, choice: Choice) -> Decimal | None:
    """USD of a call; None where the model's prices are not known.

    Args:
        counted: LiteLLM's usage of it.
        entry: The model.
        choice: By which it was called.
    """
    if not entry.is_priced:
        return None
    if not entry.price_in and not entry.price_out:
        return Decimal(0)
    load_litellm()
    from litellm.litellm_core_utils.llm_cost_calc.utils import generic_cost_per_token

    per_token: Any = generic_cost_per_token
    prices = per_token(
        model=choice.model,
        usage=counted,
        custom_llm_provider=choice.listed_as or choice.protocol,
        model_info=dict(entry.listed),
    )
    # A float's tail is not a price: 12 places are a millionth of a millionth of a dollar.
    return Decimal(str(round(float(sum(prices)), 12)))
