"""What a run's calls of models take, as far as this process has made them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.model import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.spec.values import JsonObject

_PLAIN = ("", "the default", "the node names it")
"""Reasons for a model that need not be told."""
_LONGEST_REASON = 1_000


@dataclass(slots=True)
class Spending:
    """Counts calls, tokens and money of one run; one event loop has it.

    Args:
        before_usd: What the run had cost before this process took it on.
    """

    before_usd: Decimal = Decimal(0)
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    _calls_of: Counter[str] = field(default_factory=Counter[str])
    _places: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    _earlier: dict[str, list[Usage]] = field(default_factory=dict[str, list[Usage]])
    _taken: dict[str, list[Usage]] = field(default_factory=dict[str, list[Usage]])

    def count(self, limits: Sequence[CallLimit]) -> None:
        """A step is about to ask a model.

        Raises:
            RunError: it, or a step around it, may ask no more.
        """
        for limit in limits:
            if self._calls_of[limit.path] >= limit.most:
                raise RunError(
                    f"{limit.path!r} has asked a model {limit.most} times, which is its limit.",
                    hint="Raise `limits.llmCalls` of the node.",
                    retryable=False,
                )
        for limit in limits:
            self._calls_of[limit.path] += 1

    def add(self, path: str, usage: Usage) -> None:
        """The step at `path` has made a call."""
        self._taken.setdefault(path, []).append(usage)
        self.calls += 1
        self.tokens_in += usage.tokens_in
        self.tokens_out += usage.tokens_out
        if usage.cost_usd is None:
            self.unpriced += 1
        else:
            self.cost_usd += usage.cost_usd

    def place(self, call: str, path: str) -> int:
        """The how-manieth step is the one at `path` that makes a call: 0 for the first."""
        paths = self._places.setdefault(call, {})
        return paths.setdefault(path, len(paths))

    def keep(self, path: str, usage: Sequence[Usage]) -> None:
        """What an attempt of a step took that has failed."""
        if usage:
            self._earlier.setdefault(path, []).extend(usage)

    def earlier(self, path: str) -> tuple[Usage, ...]:
        """What the attempts of a step took in vain that have failed."""
        return tuple(self._earlier.get(path, ()))

    def taken(self, path: str) -> tuple[Usage, ...]:
        """What all attempts of a step took, with what stands in its bodies."""
        inside = (f"{path}.", f"{path}[")
        return tuple(
            one
            for where, usage in self._taken.items()
            if where == path or where.startswith(inside)
            for one in usage
        )

    def told(self, path: str) -> JsonObject:
        """What the attempts of a step took, to be kept for those that another process makes."""
        return {"in_vain": figures(self.earlier(path)), "taken": figures(self.taken(path))}

    def resume(self, path: str, told: JsonObject) -> None:
        """Goes on from what attempts of a step took in another process."""
        self.keep(path, usage_of(cast("JsonObject", told["in_vain"])))
        self._taken[path] = usage_of(cast("JsonObject", told["taken"]))

    def figures(self) -> dict[str, str]:
        """For the run's tags, by their short names; empty where no model was asked."""
        if not self.calls and not self.before_usd:
            return {}
        told = {
            "cost_usd": f"{self.before_usd + self.cost_usd:f}",
            "tokens_in": str(self.tokens_in),
            "tokens_out": str(self.tokens_out),
            "llm_calls": str(self.calls),
        }
        return told | ({"unpriced_calls": str(self.unpriced)} if self.unpriced else {})


@dataclass(frozen=True, slots=True)
class CallLimit:
    """How often a step, with all that is inside it, may ask a model."""

    path: str
    most: int


def figures(usage: Sequence[Usage], latency_ms: float = 0.0) -> JsonObject:
    """The numbers that go on every materialization.

    `cost_usd` is left out where a call's price is not known.

    Args:
        usage: One entry per call of a model.
        latency_ms: Milliseconds that the step took.
    """
    costs = [u.cost_usd for u in usage]
    told: JsonObject = {
        "tokens_in": sum(u.tokens_in for u in usage),
        "tokens_out": sum(u.tokens_out for u in usage),
    }
    # In this order: Dagster's page of a run cuts what is below the sixth.
    if None not in costs:
        told["cost_usd"] = float(sum(cast("list[Decimal]", costs), Decimal(0)))
    return {
        **told,
        "latency_ms": round(latency_ms, 3),
        "model": ", ".join(dict.fromkeys(u.model for u in usage)),
        "provider": ", ".join(dict.fromkeys(u.provider for u in usage)),
        **_seldom(usage),
    }


def _seldom(usage: Sequence[Usage]) -> JsonObject:
    """Figures that few steps have, and why their models answered."""
    counts: JsonObject = {
        "tokens_cached": sum(u.tokens_cached for u in usage),
        "tokens_reasoning": sum(u.tokens_reasoning for u in usage),
        "cache_hits": sum(u.memo for u in usage),
    }
    told: JsonObject = {name: it for name, it in counts.items() if it}
    if reasons := list(dict.fromkeys(u.reason for u in usage if u.reason not in _PLAIN)):
        told["chosen"] = "; ".join(reasons)[:_LONGEST_REASON]
    return told


def usage_of(facts: JsonObject) -> list[Usage]:
    """What a step that is not run again had taken, as far as its figures tell."""
    if not facts.get("model"):
        return []
    cost = cast("float | None", facts.get("cost_usd"))
    return [
        Usage(
            tokens_in=int(cast("int", facts["tokens_in"])),
            tokens_out=int(cast("int", facts["tokens_out"])),
            cost_usd=None if cost is None else Decimal(str(cost)),
            latency_ms=float(cast("float", facts["latency_ms"])),
            model=str(facts["model"]),
            provider=str(facts["provider"]),
        )
    ]
