"""What the model plane does beside plain calls: fallbacks, kept replies, streams, budgets.

    python benchmarks/models_aside.py

The plane, the database and the server are those of models.py:

- `models.fallback_ms`: from the first byte of a refusal until the next provider has the call, the
  larger of two statuses; of bare LiteLLM, one call after the other,
  `models.call.litellm_fallback_ms`; by how much less or more it is, `models.fallback_vs_litellm`;
- `models.cache_hit_ms`: a reply that was kept, read from PostgreSQL;
  `models.cache_hit_memory_ms`;
- `models.first_token_ms`: from the first bytes of a stream leaving the server until the listener
  hears them; of bare LiteLLM `models.call.litellm_first_token_ms`;
- `models.budget_overspend_usd`: 1,000 runs call at once on a nearly spent budget of the month:
  what the server bills beyond it.

Prints a table and one line of JSON, and keeps the figures (results.py).
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

sys.path.insert(0, str(Path(__file__).parent))
from models import MODEL, SYSTEM, USER, Bench, caller, carried_out, many, request

from agentflow_dagster.errors import BudgetError
from agentflow_dagster.models.litellm_loading import load_litellm
from agentflow_dagster.ports.ledger import PlannedCall
from agentflow_dagster.ports.model import Usage
from agentflow_dagster.spec.demands import Fallback, LLMRouting
from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.memo import PostgresMemo

if TYPE_CHECKING:
    from agentflow_dagster.models.plane import ModelPlane

RUNS = 1_000
LIMIT, SPENT = Decimal("1.00"), Decimal("0.85")


async def fallbacks(one: Bench, rounds: int, times: int) -> dict[str, float]:
    """Of plane and bare LiteLLM in turns. A new plane each time: one that remembers would not ask
    who has just refused."""
    routing = LLMRouting(
        strategy="fixed",
        fallbacks=(
            Fallback(provider="openai", model=MODEL),
            Fallback(provider="anthropic", model="claude-haiku-4-5"),
        ),
    )
    litellm: Any = load_litellm()
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
    key, env = one.environment["OPENAI_API_KEY"], one.environment

    async def bare(_: str) -> None:
        said: dict[str, Any] = {"messages": messages, "api_key": key, "max_tokens": 200}
        said |= {"num_retries": 0, "max_retries": 0}
        with suppress(litellm.exceptions.InternalServerError, litellm.exceptions.RateLimitError):
            await litellm.acompletion(
                **said, model=f"openai/{MODEL}", api_base=env["OPENAI_BASE_URL"]
            )
        await litellm.acompletion(
            **said, model="anthropic/claude-haiku-4-5", api_base=env["ANTHROPIC_API_BASE"]
        )

    async def by_plane(run: str) -> None:
        await one.plane().complete(replace(request(run), model=None, routing=routing))

    took: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for script in ("500", "429"):
            for kind, call in (("", by_plane), ("call.litellm_", bare)):
                one.order(script)
                for _ in range(times):
                    await call(f"fallback-{number}")
                if number:  # The first round is to warm up.
                    took[kind, script] += one.order("refusals")
    each = {(kind, script): statistics.median(all_) for (kind, script), all_ in took.items()}
    found = {f"models.{kind}fallback_{script}_ms": ms for (kind, script), ms in each.items()}
    for kind in ("", "call.litellm_"):
        found[f"models.{kind}fallback_ms"] = max(each[kind, "500"], each[kind, "429"])
    ratios = [each["", script] / each["call.litellm_", script] for script in ("500", "429")]
    return found | {"models.fallback_vs_litellm": max(ratios)}


async def kept(one: Bench, times: int) -> dict[str, float]:
    one.order("answers")
    asked = replace(request("kept"), memo="v1")
    engine = create_engine(one.url)
    found: dict[str, float] = {}
    for name, memory_bytes in (("_memory", 2**20), ("", 0)):
        memo = PostgresMemo(engine, memory_bytes=memory_bytes)
        plane = one.plane(memo=memo)
        await plane.complete(asked)

        async def hit(_: str, plane: ModelPlane = plane) -> object:
            reply = await plane.complete(asked)
            assert reply.usage.memo
            return reply

        await many(hit, calls=50, at_once=1)
        took = await many(hit, calls=times, at_once=1)
        found[f"models.cache_hit{name}_ms"] = statistics.median(took.each)
    engine.dispose()
    return found


class FirstHeard:
    """A listener that notes when it first hears something."""

    def __init__(self) -> None:
        self.at = 0.0

    def text(self, piece: str) -> None:
        assert piece
        self.at = self.at or time.perf_counter()

    def again(self) -> None:
        """Nothing is heard twice here."""


async def first_tokens(one: Bench, times: int) -> dict[str, float]:
    """The clock is the machine's: what the server notes can be compared with what we do."""
    litellm: Any = load_litellm()
    plane = one.plane()
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
    key, base = one.environment["OPENAI_API_KEY"], one.environment["OPENAI_BASE_URL"]
    options = {"model": f"openai/{MODEL}", "api_key": key, "api_base": base, "max_retries": 0}
    heard: dict[str, list[float]] = {"plane": [], "litellm": []}

    async def by_plane() -> float:
        ear = FirstHeard()
        await plane.complete(request("stream"), ear)
        return ear.at

    async def by_litellm() -> float:
        at = 0.0
        stream = await litellm.acompletion(messages=messages, stream=True, **options)
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                at = at or time.perf_counter()
        return at

    await by_plane()
    await by_litellm()
    one.order("answers")
    for _ in range(times):
        heard["plane"].append(await by_plane())
        heard["litellm"].append(await by_litellm())
    sent = one.order("first bytes")
    return {
        f"models.{name}first_token_ms": statistics.median(
            (at - out) * 1000 for at, out in zip(heard[kind], sent[which::2], strict=True)
        )
        for which, (kind, name) in enumerate((("plane", ""), ("litellm", "call.litellm_")))
    }


async def budget(one: Bench) -> dict[str, float]:
    """One call each of many runs, all at once, on what is left of the month's budget."""
    one.order("answers")
    plane, ledger = one.plane(), one.stores.ledger
    spender = caller("before", agent="frugal", monthly=LIMIT)
    before = await ledger.reserve(PlannedCall(spender, "openai", MODEL, SPENT, SPENT))
    before.settle(Usage(1, 1, SPENT, 1.0, MODEL, "openai"))
    await ledger.flush()

    async def run(number: int) -> bool:
        whose = caller(f"frugal-{number}", agent="frugal", monthly=LIMIT)
        try:
            await plane.complete(replace(request(), caller=whose))
        except BudgetError:
            return False
        return True

    answered = sum(await asyncio.gather(*(run(number) for number in range(RUNS))))
    billed = one.order("bill").usd
    return {
        "models.budget_overspend_usd": float(max(Decimal(0), SPENT + billed - LIMIT)),
        "models.budget_unspent_usd": float(max(Decimal(0), LIMIT - SPENT - billed)),
        "models.budget_answered": answered,
        "models.budget_refused": RUNS - answered,
    }


async def measured(one: Bench) -> dict[str, float]:
    found = await fallbacks(one, 10, 20)
    found |= await kept(one, 500)
    found |= await first_tokens(one, 100)
    return found | await budget(one)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(carried_out(measured)))
