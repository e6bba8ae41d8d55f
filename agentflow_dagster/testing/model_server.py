"""A server on the loopback interface that stands in for providers of models.

    with ModelServer([Answer("Hello.", tokens_in=12, tokens_out=3)]) as server:
        environment = server.environment()           # to give to a project or to `ModelPlane`
        ...
        assert server.received[0].asked.text == "Hi?"
        assert server.bill().usd == Decimal("0.0000036")

It speaks OpenAI's, Anthropic's, Gemini's, Ollama's and Cohere's protocols over real HTTP, whole and
streamed, at an address for each provider. What goes wrong is a reply too: see `faults`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Self, TypeAlias, cast

from agentflow_dagster.testing.answers import Answer, Damaged, Reply
from agentflow_dagster.testing.protocols import PROTOCOLS, Asked
from agentflow_dagster.testing.received import Bill, Price, Received, Records
from agentflow_dagster.testing.serving import Exchange, Thread, send_json, send_reply

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

Script: TypeAlias = "Sequence[Reply] | Callable[[Asked], Reply]"
"""Replies in order, the last one for all that follow; or a function of what is asked. It is called
in the server's thread, and must not wait."""

KEY = "test-key"
"""The key of every provider in `ModelServer.environment`."""

FREE = Price(Decimal(0), Decimal(0))
OK = (Answer(),)

_SETTINGS = {
    "openai": ("/v1", "OPENAI_BASE_URL", "OPENAI_API_KEY"),
    "anthropic": ("", "ANTHROPIC_API_BASE", "ANTHROPIC_API_KEY"),
    "gemini": ("/v1beta", "GEMINI_API_BASE", "GEMINI_API_KEY"),
    "ollama": ("", "OLLAMA_API_BASE", ""),
    "cohere": ("/v2/chat", "COHERE_API_BASE", "COHERE_API_KEY"),
    "huggingface": ("/v1/chat/completions", "HF_API_BASE", "HF_TOKEN"),
}
PROVIDERS = tuple(_SETTINGS)
_BY_OPENAIS_PROTOCOL = {"cohere": "/compatibility/v1", "huggingface": "/v1"}
"""Where AgentFlow, unlike LiteLLM alone, speaks another protocol than the provider's own."""


class ModelServer:
    """Answers as scripted. A context manager; stands on a port of its own.

    Every provider has a path of its own, so that several can be at work, each with a script: a
    fallback from one to the next needs one server. Any name will do for a provider that speaks
    OpenAI's protocol.

    Args:
        script: What is answered; or scripts by provider, where one that is not named answers
            `Answer()`. May be set anew by `answer_with` while the server runs.
        price: What tokens cost at every provider, for `bill`.
    """

    def __init__(self, script: Script | Mapping[str, Script] = OK, *, price: Price = FREE) -> None:
        self._lock = threading.Lock()
        self._scripts: Mapping[str, Script] = {}
        self._script: Script = OK
        self._given: dict[str, int] = {}
        self._records = Records(price)
        self._thread = Thread(self._answer)
        self.answer_with(script)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._thread.port}"

    def base(self, provider: str) -> str:
        """The `api_base` of a provider, in the form in which LiteLLM takes it."""
        path = _SETTINGS[provider][0] if provider in _SETTINGS else "/v1"
        return f"{self.url}/{provider}{path}"

    def environment(self, *providers: str) -> dict[str, str]:
        """Environment variables that point AgentFlow at this server: for a project or a
        `ModelPlane`.

        Args:
            providers: Of `PROVIDERS`; none: all of them.
        """
        found: dict[str, str] = {}
        for provider in providers or PROVIDERS:
            path, base, key = _SETTINGS[provider]
            found[base] = f"{self.url}/{provider}{_BY_OPENAIS_PROTOCOL.get(provider, path)}"
            if key:
                found[key] = KEY
        return found

    def answer_with(self, script: Script | Mapping[str, Script], *, forget: bool = False) -> None:
        """Takes another script, from its beginning.

        Args:
            script: As for the server itself.
            forget: Whether what was received and billed is forgotten.

        Raises:
            ValueError: there is nothing in a script.
        """
        by_provider: Mapping[str, Script] = {}
        everyone: Script = OK
        if isinstance(script, Mapping):
            by_provider = cast("Mapping[str, Script]", script)
        else:
            everyone = script
        if not all(callable(one) or len(one) for one in (everyone, *by_provider.values())):
            raise ValueError("A script has at least one reply.")
        if forget:
            self._records.forget()
        with self._lock:
            self._given = {}
            self._scripts, self._script = by_provider, everyone

    @property
    def received(self) -> tuple[Received, ...]:
        """The calls so far, in the order in which they came."""
        return self._records.calls

    def bill(self, provider: str | None = None) -> Bill:
        """What a provider has billed so far, or all together: every answer, damaged ones too, as
        if it had been said to the end."""
        return self._records.bill(provider)

    def wait_until(
        self, holds: Callable[[tuple[Received, ...]], bool], *, seconds: float = 10
    ) -> None:
        """Returns once a condition holds of `received`. In a coroutine: by `asyncio.to_thread`.

        Raises:
            TimeoutError: it does not, after that many seconds.
        """
        self._records.wait_until(holds, seconds=seconds)

    async def _answer(self, exchange: Exchange) -> None:
        path = exchange.path.partition("?")[0]
        protocol = next((p for p in PROTOCOLS if p.answers(path)), None)
        if protocol is None:
            found = next((told for p in PROTOCOLS if (told := p.aside(path))), None)
            missing: JsonObject = {"error": {"message": f"Nothing is served at {path}."}}
            await send_json(exchange, 200 if found else 404, found or missing)
            return
        asked = protocol.asked(path.split("/")[1], path, exchange.body)
        reply = self._next(asked)
        received = Received(
            path=exchange.path,
            headers=exchange.headers,
            body=exchange.body,
            asked=asked,
            reply=reply,
            at=time.perf_counter(),
        )
        number = self._records.add(received)
        sent = False
        try:
            sent = await send_reply(exchange, protocol, asked, reply)
        finally:
            state = "sent" if sent else "left"
            self._records.ended(number, state, first_byte_at=exchange.first_byte_at)

    def _next(self, asked: Asked) -> Reply:
        with self._lock:
            named = asked.provider in self._scripts
            script = self._scripts.get(asked.provider, self._script)
            if callable(script):
                reply = script(asked)
            else:
                whose = asked.provider if named else ""
                given = self._given.get(whose, 0)
                self._given[whose] = given + 1
                reply = script[min(given, len(script) - 1)]
        if isinstance(reply, Damaged):
            return Damaged(reply.damage, reply.answer.within(asked.max_tokens))
        return reply.within(asked.max_tokens) if isinstance(reply, Answer) else reply
