"""`offline/extractive`: a model that runs in this process, needs no key, and costs nothing.

It generates no language. It answers with labels, values and sentences that it was given, found by
an embedded sentence model; `docs/models.md` says how, and how often it is right.
"""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from typing import TYPE_CHECKING

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.embedding import SentenceModel
from agentflow_dagster.models.extractive.draft import draft
from agentflow_dagster.models.extractive.fill import FillError, fill
from agentflow_dagster.models.extractive.task import Task, read_task
from agentflow_dagster.models.structured import schema_mismatch
from agentflow_dagster.ports.model import ModelReply, Usage

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import Listener, ModelRequest
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

PROVIDER = "offline"
MODEL = "offline/extractive"


class OfflineModel:
    """Answers requests by extraction. `temperature` says nothing to it: it is deterministic.

    Args:
        sentence_model: Shared where several are at work; one of its own otherwise.
    """

    def __init__(self, sentence_model: SentenceModel | None = None) -> None:
        self._sentences = sentence_model or SentenceModel()

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        """Answers one request, in a thread.

        Raises:
            ModelError: the text has no value for a field that the schema requires; or the answer
                does not fit into `max_tokens`; or it took longer than `timeout`.
        """
        try:
            async with asyncio.timeout(request.timeout):
                reply = await asyncio.to_thread(self._answer, request)
        except TimeoutError:
            raise ModelError(
                f"{MODEL} was still at work after {request.timeout} s.",
                model=MODEL,
                provider=PROVIDER,
                hint="Raise the node's timeout, or give it a shorter text.",
            ) from None
        if listener is not None:
            listener.text(reply.text)
        return reply

    def _answer(self, request: ModelRequest) -> ModelReply:
        if request.tools:
            raise _refusal(
                "calls no tools",
                hint="Name a model that does under `llm`, with its provider's key in the "
                "environment; in a test, say under `mocks` what the node gives.",
            )
        started = time.perf_counter()
        schema = request.output_schema
        task = read_task(request.messages, structured=schema is not None)
        if schema is None:
            output: JsonValue = None
            text = draft(task, model=self._sentences)
            if request.max_tokens is not None:
                text = self._sentences.first_tokens(text, request.max_tokens)
        else:
            output = self._filled(schema, task)
            text = json.dumps(output, ensure_ascii=False)
        tokens_out = self._sentences.count_tokens(text)
        if request.max_tokens is not None and tokens_out > request.max_tokens:
            raise _refusal(
                f"its reply has {tokens_out} tokens, past max_tokens {request.max_tokens}",
                hint="Raise max_tokens, or set maxLength and maxItems in the schema.",
            )
        usage = Usage(
            tokens_in=self._tokens_in(request),
            tokens_out=tokens_out,
            cost_usd=Decimal(0),
            latency_ms=(time.perf_counter() - started) * 1000,
            model=MODEL,
            provider=PROVIDER,
        )
        return ModelReply(text, output, usage)

    def _filled(self, schema: JsonSchema, task: Task) -> JsonValue:
        try:
            output = fill(schema, task, model=self._sentences)
        except FillError as error:
            raise _refusal(f"cannot answer: {error}") from error
        if wrong := schema_mismatch(output, schema):
            raise _refusal(f"found no answer that meets the schema: {wrong}")
        return output

    def _tokens_in(self, request: ModelRequest) -> int:
        read = [message.content for message in request.messages]
        if request.output_schema is not None:
            read.append(json.dumps(request.output_schema, ensure_ascii=False))
        return sum(self._sentences.count_tokens(text) for text in read)


def _refusal(why: str, *, hint: str = "") -> ModelError:
    return ModelError(
        f"{MODEL} {why}.",
        model=MODEL,
        provider=PROVIDER,
        # The same request gives the same answer: another attempt cannot do better.
        retryable=False,
        hint=hint
        or "Make the field optional, or configure a provider that writes text of its own.",
    )
