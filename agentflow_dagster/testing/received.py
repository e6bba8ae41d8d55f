"""What came in at a server that stands in for providers, and what it would have billed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Literal

from agentflow_dagster.testing.answers import Answer, Damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.testing.answers import Reply
    from agentflow_dagster.testing.protocols import Asked

_MILLION = 1_000_000
State = Literal["open", "sent", "left"]


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost, in USD for a million.

    Args:
        usd_in, usd_out: Tokens in and out.
        usd_cached: Tokens in that were read from the cache; None: as all others.
    """

    usd_in: Decimal
    usd_out: Decimal
    usd_cached: Decimal | None = None

    def of(self, answer: Answer) -> Decimal:
        """What one answer costs, in USD."""
        cached = self.usd_in if self.usd_cached is None else self.usd_cached
        fresh = answer.tokens_in - answer.tokens_cached
        total = fresh * self.usd_in + answer.tokens_cached * cached
        return (total + answer.tokens_out * self.usd_out) / _MILLION


@dataclass(frozen=True, slots=True)
class Bill:
    """What a provider bills.

    Args:
        calls: Answers; a refusal bills nothing.
        tokens_in, tokens_out: Tokens.
        usd: USD.
    """

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: Decimal = Decimal(0)

    def with_answer(self, answer: Answer, price: Price) -> Bill:
        """The bill with one answer more."""
        return Bill(
            self.calls + 1,
            self.tokens_in + answer.tokens_in,
            self.tokens_out + answer.tokens_out,
            self.usd + price.of(answer),
        )


@dataclass(frozen=True, slots=True)
class Received:
    """One call.

    Args:
        path: With its query.
        headers: Names in small letters.
        body: As it came.
        asked: What it asks for.
        reply: What it was given.
        at: When it came, by `time.perf_counter`, in seconds.
        first_byte_at: When the first piece of the reply's body went out; None where none did.
        state: `open` until the reply is sent; `left` where the client went before that.
    """

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: JsonObject = field(repr=False)
    asked: Asked
    reply: Reply
    at: float
    first_byte_at: float | None = None
    state: State = "open"


class Records:
    """All calls of a server, from whichever thread one looks."""

    def __init__(self, price: Price) -> None:
        self._price = price
        self._changed = threading.Condition()
        self._calls: dict[int, Received] = {}
        self._numbers = count()
        self._bills: dict[str, Bill] = {}

    def add(self, call: Received) -> int:
        """Notes a call, and gives its number."""
        with self._changed:
            number = next(self._numbers)
            self._calls[number] = call
            answer = call.reply.answer if isinstance(call.reply, Damaged) else call.reply
            if isinstance(answer, Answer):
                provider = call.asked.provider
                bill = self._bills.get(provider, Bill())
                self._bills[provider] = bill.with_answer(answer, self._price)
            self._changed.notify_all()
            return number

    def ended(self, number: int, state: State, *, first_byte_at: float | None) -> None:
        """Notes how a call ended."""
        with self._changed:
            if call := self._calls.get(number):
                self._calls[number] = replace(call, state=state, first_byte_at=first_byte_at)
            self._changed.notify_all()

    def forget(self) -> None:
        """Forgets all; what is still open is told of no more."""
        with self._changed:
            self._calls.clear()
            self._bills.clear()

    @property
    def calls(self) -> tuple[Received, ...]:
        with self._changed:
            return tuple(self._calls.values())

    def bill(self, provider: str | None) -> Bill:
        """What one provider bills, or all together."""
        with self._changed:
            bills = [b for name, b in self._bills.items() if provider in {None, name}]
        return Bill(
            sum(bill.calls for bill in bills),
            sum(bill.tokens_in for bill in bills),
            sum(bill.tokens_out for bill in bills),
            sum((bill.usd for bill in bills), Decimal(0)),
        )

    def wait_until(self, holds: Callable[[tuple[Received, ...]], bool], *, seconds: float) -> None:
        """Returns once a condition holds of the calls.

        Raises:
            TimeoutError: it does not, after that many seconds.
        """
        with self._changed:
            if not self._changed.wait_for(
                lambda: holds(tuple(self._calls.values())), timeout=seconds
            ):
                raise TimeoutError(
                    f"It does not hold after {seconds} s of {tuple(self._calls.values())!r}."
                )
