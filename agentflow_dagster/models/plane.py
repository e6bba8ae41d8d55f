"""The model plane's front: the one way to a language model, for everything in the product.

For each request it ranks the models that may answer, and asks them in turn. Retries and fallbacks
happen here and nowhere below, since each must reserve what it may cost before it is made.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from agentflow_dagster.errors import BudgetError, ModelError
from agentflow_dagster.models.call_failures import CallFailed, timed_out
from agentflow_dagster.models.calling import Answer, Patience, ask, provider_of
from agentflow_dagster.models.catalogue import Catalogue
from agentflow_dagster.models.choice import Chooser
from agentflow_dagster.models.estimating import likely
from agentflow_dagster.models.health import Health
from agentflow_dagster.models.keys import Keys
from agentflow_dagster.models.litellm_loading import load_litellm
from agentflow_dagster.models.memo import from_kept, kept_form, memo_key
from agentflow_dagster.models.offline import OfflineModel
from agentflow_dagster.models.pricing import bound, bytes_of
from agentflow_dagster.models.replies import MOST_REPAIRS, checked, repaired
from agentflow_dagster.models.routing import Router
from agentflow_dagster.models.scripted import scripted_model
from agentflow_dagster.models.settings import ModelSettings
from agentflow_dagster.models.structured import Reply
from agentflow_dagster.models.throttle import Throttle
from agentflow_dagster.models.turns import Turns
from agentflow_dagster.ports.ledger import PlannedCall
from agentflow_dagster.ports.model import ModelReply, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.models.estimating import Likely
    from agentflow_dagster.models.pricing import Bound
    from agentflow_dagster.models.routing import Candidate
    from agentflow_dagster.ports.ledger import Ledger, Outcome, Reservation
    from agentflow_dagster.ports.memo import Memo
    from agentflow_dagster.ports.model import Listener, ModelRequest
    from agentflow_dagster.ports.secrets import Secrets

_BYTES_PER_TOKEN = 4
_KEY_REFUSED = frozenset({401, 403})
_LONGEST = 3_600.0
"""Seconds for a streamed reply whose caller sets no limit."""


class ModelPlane:
    """Answers with the models that are configured, offline where there is none.

    Args:
        environment: Environment variables; read at every request, so a change takes effect.
        settings: The project's `models.yaml`.
        secrets: Where keys come from first; the environment alone where it is None.
        ledger: Reserves and accounts; without one nobody is charged.
        memo: Keeps replies; without one nothing is kept.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        settings: ModelSettings | None = None,
        secrets: Secrets | None = None,
        ledger: Ledger | None = None,
        memo: Memo | None = None,
    ) -> None:
        self._settings = settings or ModelSettings()
        self._ledger = ledger
        self._memo = memo
        self._health = Health()
        self._throttle = Throttle(self._settings)
        self._offline = OfflineModel()
        named = (said.key_variable for said in self._settings.providers.values())
        self._keys = Keys(environment, secrets, more=filter(None, named))
        self._chooser = Chooser(self._keys, self._settings, provider_of=provider_of)
        catalogue = Catalogue(self._settings)
        self._router = Router(self._chooser, catalogue, self._health)

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        """See `ports.model.Model`."""
        started = time.perf_counter()
        candidates = await self._candidates(request)
        key = ""
        if request.memo and self._memo is not None and request.caller is not None:
            key = memo_key(request, candidates[0].choice.name)
            kept = await self._memo.get(key)
            if kept is not None:
                return await self._from_memo(
                    request, from_kept(kept, (time.perf_counter() - started) * 1000), listener
                )
        turns = Turns(candidates, request.timeout, shown=self._settings.rules.text)
        one = _OneCall(request, listener, turns, self)
        try:
            reply = await one.answered()
        except asyncio.CancelledError as given_up:
            given_up.usage = one.failed  # type: ignore[attr-defined]
            raise
        if key and self._memo is not None and request.caller is not None:
            await self._memo.put(key, request.caller.agent, kept_form(reply))
        return reply

    def estimate(self, request: ModelRequest) -> Likely:
        """What a call may be expected to cost; nobody is asked. May import LiteLLM.

        Raises:
            ModelError: no model may answer it.
        """
        routing = request.routing or self._settings.routing
        return likely(request, self._router.candidates(request, routing)[0])

    def prepare(self) -> None:
        """Loads what the first call needs, if any provider is configured; takes seconds.

        Raises:
            ModelError: the project's secrets cannot be asked.
        """
        if not self._chooser.is_offline:
            load_litellm()

    async def _candidates(self, request: ModelRequest) -> tuple[Candidate, ...]:
        routing = request.routing or self._settings.routing
        if "litellm" in sys.modules and self._keys.at_hand:
            return self._router.candidates(request, routing)
        # In a thread: it may have to import LiteLLM, which takes seconds, or to wait for keys.
        return await asyncio.to_thread(self._router.candidates, request, routing)

    async def _from_memo(
        self, request: ModelRequest, reply: ModelReply, listener: Listener | None
    ) -> ModelReply:
        if listener is not None and reply.text:
            listener.text(reply.text)
        if self._ledger is not None and request.caller is not None:
            usage = reply.usage
            planned = PlannedCall(request.caller, usage.provider, usage.model, reason=usage.reason)
            (await self._ledger.reserve(planned)).settle(usage, "kept")
        return reply

    async def reserve(
        self, request: ModelRequest, candidate: Candidate, most: Bound, reason: str
    ) -> Reservation | None:
        """Sets aside what a call may cost; None where nobody is charged.

        Raises:
            BudgetError: there is not enough left.
        """
        if self._ledger is None or request.caller is None:
            return None
        choice = candidate.choice
        planned = PlannedCall(
            caller=request.caller,
            provider=choice.provider,
            model=choice.model,
            least_usd=most.least_usd,
            most_usd=most.most_usd,
            reason=reason,
        )
        return await self._ledger.reserve(planned)

    def wait(self, candidate: Candidate, tokens: int) -> float:
        """Seconds until there is room for a call below the rates that are set; 0 counts it."""
        return self._throttle.wait(candidate.choice, tokens)

    def note(self, candidate: Candidate, came: Usage | CallFailed) -> None:
        """Remembers how a model did."""
        name = candidate.choice.name
        if isinstance(came, Usage):
            self._health.answered(name, came.latency_ms)
        elif came.outcome != "invalid":
            if came.error.status in _KEY_REFUSED:
                self._keys.forget()
            self._health.failed(name, retry_after=came.retry_after)

    async def ask(
        self,
        request: ModelRequest,
        candidate: Candidate,
        reply: Reply | None,
        left: float | None,
        listener: Listener | None,
    ) -> Answer | ModelReply:
        """Has one model answer.

        Raises:
            CallFailed: it did not.
        """
        choice = candidate.choice
        if choice.is_offline or choice.is_scripted:
            model = self._offline if choice.is_offline else scripted_model(choice.model)
            try:
                return await model.complete(replace(request, timeout=left), listener)
            except ModelError as error:
                raise CallFailed(error, outcome="refused", again=error.retryable) from None
        said = self._settings
        whole = left or _LONGEST
        server = said.providers.get(choice.provider)
        if listener is None and server is not None and server.stream:
            listener = _Nobody()
        if listener is None:
            whole = min(whole, said.answer_seconds)
        patience = Patience(whole, said.first_token_seconds, said.silence_seconds)
        work = ask(
            request, choice, candidate.entry, reply=reply, patience=patience, listener=listener
        )
        try:
            async with asyncio.timeout(whole):
                return await work
        except TimeoutError:
            raise timed_out(choice, f"had not answered after {whole:.1f} s") from None


class _Nobody:
    """Hears a reply that comes in pieces for the sake of its pace alone."""

    def text(self, piece: str) -> None:
        pass

    def again(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Heard:
    """Passes a reply on, and knows whether any of it was heard."""

    listener: Listener
    pieces: list[None]

    def text(self, piece: str) -> None:
        self.pieces.append(None)
        self.listener.text(piece)

    def again(self) -> None:
        if self.pieces:
            self.pieces.clear()
            self.listener.again()


class _OneCall:
    """One request, until somebody has answered it."""

    def __init__(
        self, request: ModelRequest, listener: Listener | None, turns: Turns, plane: ModelPlane
    ) -> None:
        self._request = request
        self._listener = _Heard(listener, []) if listener else None
        self._turns = turns
        self._plane = plane
        self._failed: list[Usage] = []
        self._reply = Reply(request.output_schema) if request.output_schema else None

    async def answered(self) -> ModelReply:
        """The first answer that is of use.

        Raises:
            ModelError: nobody gives one.
            BudgetError: nobody can be paid.
        """
        last: ModelError | BudgetError | None = None
        while (turn := self._turns.next()) is not None:
            candidate, rest = turn
            if rest:
                await asyncio.sleep(rest)
            wait = self._plane.wait(candidate, bytes_of(self._request) // _BYTES_PER_TOKEN)
            if wait:
                last = last or _throttled(candidate, wait)
                self._turns.rest(wait)
                continue
            try:
                return await self._by(candidate)
            except CallFailed as failure:
                last = failure.error
                self._plane.note(candidate, failure)
                self._turns.failed(failure)
                if not failure.elsewhere:
                    break
            except BudgetError as error:
                last = last or error
                self._turns.out()
        raise self._told(last)

    @property
    def failed(self) -> tuple[Usage, ...]:
        """What calls took that gave no answer."""
        return tuple(self._failed)

    def _told(self, last: ModelError | BudgetError | None) -> ModelError | BudgetError:
        error = last or ModelError(
            "There is no time left to ask a model.", model="", provider="", retryable=True
        )
        if len(set(self._turns.history)) > 1 and isinstance(error, ModelError):
            before = "; ".join(dict.fromkeys(self._turns.history[:-1]))
            error = ModelError(
                f"{error.message} Before it: {before}",
                model=error.model,
                provider=error.provider,
                status=error.status,
                retryable=error.retryable,
                hint=error.hint,
            )
        error.usage = self.failed
        return error

    async def _by(self, candidate: Candidate) -> ModelReply:
        """The answer of one model, which is told what is wrong with its reply."""
        request, beside = self._request, 0
        for repairs in range(MOST_REPAIRS + 1):
            if self._listener is not None:
                self._listener.again()
            answer, reservation, reason = await self._asked(candidate, request, beside)
            if isinstance(answer, ModelReply):
                return self._done(candidate, answer, reservation, reason)
            try:
                reply = checked(answer, self._reply, candidate.choice)
            except CallFailed as failure:
                self._settle(reservation, answer.usage, "invalid", reason)
                if repairs == MOST_REPAIRS or not failure.again:
                    failure.again = False
                    raise
                request = repaired(request, answer, failure)
                continue
            return self._done(candidate, reply, reservation, reason)
        raise AssertionError("the last reply is returned or raised")

    async def _asked(
        self, candidate: Candidate, request: ModelRequest, beside: int
    ) -> tuple[Answer | ModelReply, Reservation | None, str]:
        most = bound(request, candidate.entry, beside=beside)
        reason = self._turns.reason(candidate)
        reservation = await self._plane.reserve(request, candidate, most, reason)
        granted = reservation.granted_usd if reservation else None
        if granted is not None and most.most_usd:
            request = replace(request, max_tokens=most.tokens_for(granted))
        try:
            answer = await self._plane.ask(
                request, candidate, self._reply, self._turns.seconds_left, self._listener
            )
        except CallFailed as failure:
            usage = failure.usage or self._unanswered(candidate, most, granted, failure.outcome)
            self._settle(reservation, usage, failure.outcome, reason)
            raise
        except BaseException:
            usage = self._unanswered(candidate, most, granted, "lost")
            self._settle(reservation, usage, "lost", reason)
            raise
        return answer, reservation, reason

    def _unanswered(
        self, candidate: Candidate, most: Bound, granted: Decimal | None, outcome: Outcome
    ) -> Usage:
        """What a call without an answer took: nothing, or at most all that it might."""
        refused = outcome == "refused"
        price = Decimal(0) if refused else most.most_usd if granted is None else granted
        return Usage(
            tokens_in=0 if refused else bytes_of(self._request) // _BYTES_PER_TOKEN,
            tokens_out=0,
            cost_usd=price,
            latency_ms=0.0,
            model=candidate.choice.model,
            provider=candidate.choice.provider,
            counted=True,
        )

    def _settle(
        self, reservation: Reservation | None, usage: Usage, outcome: Outcome, reason: str
    ) -> None:
        usage = replace(usage, reason=reason)
        if reservation is not None:
            reservation.settle(usage, outcome)
        if outcome not in {"answered", "refused"}:
            self._failed.append(usage)

    def _done(
        self, candidate: Candidate, reply: ModelReply, reservation: Reservation | None, reason: str
    ) -> ModelReply:
        usage = replace(reply.usage, reason=reason)
        if reservation is not None:
            reservation.settle(usage, "answered")
        self._plane.note(candidate, usage)
        return replace(reply, usage=usage, failed=self.failed)


def _throttled(candidate: Candidate, wait: float) -> ModelError:
    choice = candidate.choice
    return ModelError(
        f"{choice.name} may be called again in {wait:.0f} s: models.yaml limits its rate.",
        model=choice.model,
        provider=choice.provider,
        hint="Raise the limit, or name another model beside it.",
    )
