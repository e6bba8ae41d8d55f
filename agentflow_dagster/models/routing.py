"""Which models may answer a call, in which order, and why.

A model of `llmRouting` is *meant* for a call where one of its conditions holds, or it has none.
It is *adequate* where it is as good as the call needs: `complexity` and `accuracy` ask for quality,
and a model that its author meant for that complexity has it. Adequate models go first, then those
that are meant, and of equals the strategy decides. All others follow, for when these fail.

What is marked sensitive goes to local models alone, whatever else holds and whatever fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.complexity import complexity
from agentflow_dagster.models.expecting import expected_usd, tokens_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.models.catalogue import Catalogue, Entry
    from agentflow_dagster.models.choice import Choice, Chooser
    from agentflow_dagster.models.health import Health
    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.demands import Fallback, LLMRouting

_QUALITY = {"low": 1, "medium": 2, "high": 3}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may answer.

    Args:
        choice, entry: The model.
        reason: Why it stands where it stands.
    """

    choice: Choice
    entry: Entry
    reason: str


@dataclass(frozen=True, slots=True)
class _Needs:
    """What a call needs, by the names of conditions.

    Args:
        words: Each need's word.
        quality: 1 to 3.
        estimated: Whether nobody said how hard the call is.
    """

    words: Mapping[str, str]
    quality: int
    estimated: bool

    @property
    def asked_by(self) -> str:
        """The need that asks for quality."""
        return "accuracy" if self.words["accuracy"] == "critical" else "complexity"

    @property
    def sensitive(self) -> bool:
        return self.words["data_sensitivity"] == "high"

    def __str__(self) -> str:
        told = [f"{name} {word}" for name, word in self.words.items() if word != "normal"]
        return ", ".join(told) + (" (estimated)" if self.estimated else "")


class Router:
    """Ranks the models that may answer.

    Args:
        chooser: Knows what is configured.
        catalogue: Knows models.
        health: Knows how they have been doing.
    """

    def __init__(self, chooser: Chooser, catalogue: Catalogue, health: Health) -> None:
        self._chooser = chooser
        self._catalogue = catalogue
        self._health = health

    def candidates(
        self, request: ModelRequest, routing: LLMRouting | None
    ) -> tuple[Candidate, ...]:
        """The models that may answer, the best first.

        Args:
            request: The call. A model that it names goes before all others.
            routing: The rules; None has the named or the default model answer, and no other.

        Raises:
            ModelError: none may; it says why of each.
        """
        needs = needs_of(request, routing)
        refused: list[ModelError] = []
        first = self._first(request, needs, routing, refused)
        ranked = self._ranked(request, needs, routing, refused) if routing else []
        # The best place of each: two names may mean one model.
        found: dict[str, Candidate] = {}
        for candidate in (*first, *ranked):
            found.setdefault(candidate.choice.name, candidate)
        if found:
            return tuple(found.values())
        if len(refused) == 1:
            raise refused[0]
        told = " ".join(problem.message for problem in refused)
        raise ModelError(
            f"No model may answer this call ({needs}). {told}".strip(),
            model="",
            provider="",
            retryable=False,
            hint="Configure one of them, or name another in spec.llmRouting.",
        )

    def _first(
        self,
        request: ModelRequest,
        needs: _Needs,
        routing: LLMRouting | None,
        refused: list[ModelError],
    ) -> list[Candidate]:
        if request.model is None and routing is not None and routing.fallbacks:
            return []
        reason = "the node names it" if request.model else "the default"
        found = self._able(request, request.model, needs, refused)
        return [Candidate(*found, reason)] if found else []

    def _ranked(
        self,
        request: ModelRequest,
        needs: _Needs,
        routing: LLMRouting,
        refused: list[ModelError],
    ) -> list[Candidate]:
        rules = {rule.litellm_model: rule for rule in reversed(routing.fallbacks)}
        able: list[tuple[Fallback, Choice, Entry]] = []
        for name, rule in reversed(rules.items()):
            if found := self._able(request, name, needs, refused):
                able.append((rule, *found))
        order = sorted(
            range(len(able)), key=lambda n: self._rank(request, needs, routing, able[n], n)
        )
        return [
            Candidate(choice, entry, _reason(routing, needs, rule, len(able)))
            for rule, choice, entry in (able[n] for n in order)
        ]

    def _able(
        self, request: ModelRequest, name: str | None, needs: _Needs, refused: list[ModelError]
    ) -> tuple[Choice, Entry] | None:
        """The model of a name, if it is configured and can do what the call asks."""
        try:
            choice = self._chooser.choose(name)
        except ModelError as problem:
            refused.append(problem)
            return None
        entry = self._catalogue.entry(choice)
        if why := _unable(request, choice, entry, needs):
            refused.append(_refusal(choice, why))
            return None
        return choice, entry

    def _rank(
        self,
        request: ModelRequest,
        needs: _Needs,
        routing: LLMRouting,
        one: tuple[Fallback, Choice, Entry],
        number: int,
    ) -> tuple[float | Decimal, ...]:
        rule, choice, entry = one
        cooling = self._health.cooling(choice.name) > 0
        if routing.strategy == "fixed":
            return (cooling, number)
        held = _held(rule, needs)
        meant = bool(held) or not rule.conditions
        # Of models below the need those that come nearest go first, not the cheapest.
        short = 0 if needs.asked_by in held else max(0, needs.quality - entry.quality)
        usd = expected_usd(request, entry)
        price = Decimal("Infinity") if usd is None else usd  # Unknown ones come last.
        match routing.strategy:
            case "quality":
                last = (-entry.quality, price)
            case "latency":
                known = self._health.latency_ms(choice.name)
                last = (entry.quality * 1_000.0 if known is None else known, price)
            case _:
                last = (price, number)
        return (cooling, short, not meant, *last, number)


def needs_of(request: ModelRequest, routing: LLMRouting | None) -> _Needs:
    """What a call needs; its complexity is estimated where nobody says it, if there is a choice."""
    said = request.needs
    stated = said.complexity if said else None
    chooses = routing is not None and bool(routing.fallbacks)
    words = {
        "complexity": stated or (complexity(request) if chooses else "medium"),
        "accuracy": (said.accuracy if said else None) or "normal",
        "cost": (said.cost if said else None) or "normal",
        "data_sensitivity": (said.data_sensitivity if said else None) or "normal",
    }
    quality = _QUALITY[words["complexity"]]
    if stated is None and words["cost"] != "normal":
        quality = max(1, quality - 1)  # What is said counts for more than what is guessed.
    if words["accuracy"] == "critical":
        quality = 3
    return _Needs(words, quality, estimated=stated is None and chooses)


def _held(rule: Fallback, needs: _Needs) -> set[str]:
    """The conditions of a rule that hold."""
    said = {
        "data_sensitivity" if name == "dataSensitivity" else name: word
        for condition in rule.conditions
        for name, word in condition.items()
    }
    return {name for name, word in said.items() if needs.words.get(name) == word}


def _unable(request: ModelRequest, choice: Choice, entry: Entry, needs: _Needs) -> str:
    """Why a model cannot answer a call; "" where it can, or nobody knows."""
    if needs.sensitive and not choice.is_local:
        return "is not local, and the call's data is sensitive"
    if request.tools and not (entry.tools or choice.is_scripted):
        return "calls no tools"
    if any(m.images for m in request.messages) and not (entry.vision or choice.is_scripted):
        return "sees no images"
    if entry.context_window and tokens_of(request) > 2 * entry.context_window:
        return f"reads no more than {entry.context_window:,} tokens"
    return ""


def _refusal(choice: Choice, why: str) -> ModelError:
    hint = "Configure Ollama (OLLAMA_API_BASE), or mark a server `local` in models.yaml."
    return ModelError(
        f"{choice.name} {why}.",
        model=choice.model,
        provider=choice.provider,
        retryable=False,
        hint=hint
        if "sensitive" in why
        else "Name another model, or say in models.yaml that it can.",
    )


def _reason(routing: LLMRouting, needs: _Needs, rule: Fallback, count: int) -> str:
    if routing.strategy == "fixed":
        return "in the order of llmRouting"
    held = ", ".join(sorted(_held(rule, needs)))
    meant = f"; meant for its {held}" if held else ""
    return f"{routing.strategy} among {count} for {needs}{meant}"
