"""What the routing of models saves, and whether what is needed is met.

    python benchmarks/routing.py

300 tasks of seven kinds, the same in every run (`KINDS`, and a random generator with a fixed
seed). Each has an instruction, a text of a realistic size, the tokens of its answer, and what it
needs: how hard it is, and whether a wrong answer does harm. Those were written down by kind,
before the estimate was asked. A cost-optimized `llmRouting` chooses among three models, and
nothing is called: a task costs its tokens, priced as a real call is.

- `routing.saving_pct`: what is saved beside always taking the strongest model, with needs stated;
- `routing.needs_missed`: tasks whose model is not as good (`quality` of the catalogue:
  `models/quality.py`) as they need;
- `routing.as_listed_saving_pct`: the first, were the list's middle model the least that meets a
  medium need, and its last one good for easy tasks alone;
- `routing.estimated_saving_pct`, `routing.estimated_below_pct`: the same where nothing is stated
  and `models/complexity.py` estimates; and how many tasks then get a model below their need.

It says nothing of how well a model answers: that a model of a quality meets a need is what the
catalogue and the author of the task say.

Prints a table and one line of JSON, and keeps the figures (results.py).
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parent))
from results import record

from agentflow_dagster.models.calling import provider_of
from agentflow_dagster.models.catalogue import Catalogue
from agentflow_dagster.models.choice import Chooser
from agentflow_dagster.models.health import Health
from agentflow_dagster.models.litellm_loading import load_litellm
from agentflow_dagster.models.pricing import cost
from agentflow_dagster.models.routing import Candidate, Router
from agentflow_dagster.models.settings import ModelSettings
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.spec.demands import Fallback, LLMRouting, Needs

_GPT = ("openai", "gpt-4.1")
_FIRST = (_GPT, ("mistral", "mistral-medium-latest"), ("openai", "gpt-4.1-mini"))
LISTS = {
    "": _FIRST,
    "cheap_middle_": (_GPT, ("deepseek", "deepseek-chat"), ("openai", "gpt-4o-mini")),
    "one_vendor_": (
        ("anthropic", "claude-opus-4-8"),
        ("anthropic", "claude-sonnet-4-6"),
        ("anthropic", "claude-haiku-4-5"),
    ),
    "local_": (_GPT, ("anthropic", "claude-haiku-4-5"), ("local", "llama3:8b")),
    "as_listed_": _FIRST,
}
"""The models that are chosen from, the strongest first. The first list is that of the figure that
must hold; the others show how much of it is the list. The last is the first again, where the
project says in `models.yaml` that its models are of quality 3, 2 and 1, in their order."""
AS_LISTED = {"models": {"/".join(m): {"quality": 3 - n} for n, m in enumerate(_FIRST)}}
KEYS = {
    **dict.fromkeys(("OPENAI_API_KEY", "MISTRAL_API_KEY", "DEEPSEEK_API_KEY"), "x"),
    "ANTHROPIC_API_KEY": "x",
    "OLLAMA_API_BASE": "http://127.0.0.1:11434",
}
QUALITY = {"low": 1, "medium": 2, "high": 3}
_BYTES_PER_TOKEN = 4
SEED = 7

Complexity = Literal["low", "medium", "high"]


@dataclass(frozen=True)
class Kind:
    """Tasks that are alike.

    Args:
        name: Of the kind.
        count: How many there are.
        complexity: How hard they are.
        critical: Every so many does harm where its answer is wrong; 0: none.
        sizes: Bytes of the text, from and to.
        answer: Tokens of the answer, from and to.
        instructions: One of them each.
        says: What the text is made of.
    """

    name: str
    count: int
    complexity: Complexity
    critical: int
    sizes: tuple[int, int]
    answer: tuple[int, int]
    instructions: tuple[str, ...]
    says: str


@dataclass(frozen=True)
class Task:
    """One call, and what it needs."""

    kind: str
    messages: tuple[Message, ...]
    needs: Needs
    tokens_out: int

    @property
    def tokens_in(self) -> int:
        return sum(len(message.content.encode()) for message in self.messages) // _BYTES_PER_TOKEN

    @property
    def quality(self) -> int:
        """What its model must have, as `models/routing.py` reads needs."""
        return 3 if self.needs.accuracy == "critical" else QUALITY[self.needs.complexity or "low"]

    def usd(self, model: Candidate) -> Decimal:
        """What it costs with a model, as a real call is priced."""
        counted = load_litellm().Usage(
            prompt_tokens=self.tokens_in, completion_tokens=self.tokens_out
        )
        priced = cost(counted, model.entry, model.choice)
        assert priced is not None
        return priced


TICKETS = (
    "My parcel has not arrived and the tracking page has said the same for six days. "
    "I was charged twice for order 48213 on the first of the month. "
    "The app closes as soon as I open the invoices page on my phone. "
    "Please change the delivery address to the new office. "
    "The blue one was sent where I had ordered the green one. "
    "Your colleague was very kind, thank you, it works now. "
)
RECORDS = (
    "Invoice 2024-1187, dated 3 May, to Northwind Traders, 14 Harbour Road, Kiel. "
    "Twelve filter cartridges at 18.40 EUR each, two pumps at 310.00 EUR. "
    "Payable within 30 days to IBAN DE44 5001 0517 5407 3249 31. "
    "Contact for questions: Ms Lindqvist, extension 412, on weekdays until four. "
    "Delivered by road freight on 6 May, signed for at gate 3. "
)
ARTICLES = (
    "The council met on Tuesday to discuss the new tram line through the old town. "
    "Costs have risen by a fifth since the first proposal, chiefly for steel and for land. "
    "Shop owners fear two years of road works; commuters expect to save a quarter of an hour. "
    "A vote is due in autumn, after the results of a second survey of the ground. "
    "The mayor said that the line would be built in three parts, the northern one first. "
)
MINUTES = (
    "Sales reported that renewals in the south are behind those of last year by nine per cent. "
    "Support has hired two people, and answers within four hours on most days. "
    "The warehouse move is put off until the lease of the second hall is signed. "
    "Finance asked for the figures of the trade fair before the end of the week. "
)
FIGURES = (
    "Region north: revenue 1.42 m, margin 31 %, churn 4.1 %, 118 new accounts, 27 lost. "
    "Region south: revenue 1.17 m, margin 24 %, churn 6.8 %, 96 new accounts, 61 lost. "
    "Discounts above 15 % were given in 212 of 640 deals, mostly in the last week of a quarter. "
    "Returns of the new pump are at 7 %, of the old one at 2 %. "
    "Marketing spent 84,000 on search and 31,000 on fairs. "
)
GOALS = (
    "We have four engineers, one of them for half of her time, and eleven weeks. "
    "The old billing system must go on until the last of 3,200 customers has moved. "
    "No invoice may be sent twice, and the auditors want every step to be traceable. "
    "The payment provider changes its interface in week six. "
    "Two holidays and a release freeze fall into the time. "
)
CODE = (
    "def settle(self, order, amount):\n    with self.lock:\n        if order.id in self.open:\n"
    "            self.open[order.id] -= amount\n    self.store.write(order.id, self.open)\n\n"
    "async def retry(call, times=3):\n    for n in range(times):\n        try:\n"
    "            return await call()\n        except Exception:\n            await sleep(1)\n\n"
)
KINDS = (
    Kind(
        *("classification", 75, "low", 0, (150, 1_200), (3, 12)),
        (
            "Say which team this belongs to: billing, delivery, technical or other.",
            "Is this message urgent? Answer yes or no.",
            "Which language is this written in? Answer with its code.",
        ),
        TICKETS,
    ),
    Kind(
        *("extraction", 60, "low", 10, (600, 5_000), (60, 220)),
        (
            "Give the number, the date, the amounts and the names in it as JSON.",
            "List every address and every person that is named.",
        ),
        RECORDS,
    ),
    Kind(
        *("short summary", 35, "low", 0, (1_500, 6_000), (80, 180)),
        ("Summarize this in three sentences.", "What is this about? Two lines."),
        ARTICLES,
    ),
    Kind(
        *("long summary", 20, "medium", 0, (20_000, 60_000), (350, 700)),
        ("Summarize these minutes for somebody who was not there, by subject.",),
        MINUTES,
    ),
    Kind(
        *("drafting", 45, "medium", 15, (500, 3_000), (180, 450)),
        (
            "Draft a reply to this customer: polite, no promises, at most ten sentences.",
            "Write a notice about this for our customers.",
        ),
        TICKETS,
    ),
    Kind(
        *("analysis", 30, "high", 3, (3_000, 15_000), (500, 1_100)),
        (
            "What explains the difference between the regions? Weigh the causes, with figures.",
            "Analyze these figures and say what we should look into first, and why.",
        ),
        FIGURES,
    ),
    Kind(
        *("planning", 15, "high", 5, (1_500, 6_000), (800, 1_600)),
        (
            "Plan the move step by step, with what depends on what, and what may go wrong.",
            "Work out in which order this is best done by this team, and what to leave out.",
        ),
        GOALS,
    ),
    Kind(
        *("code review", 20, "high", 4, (4_000, 20_000), (400, 1_200)),
        (
            "Review this change. Look for races, lost errors and data that is lost.",
            "Find the bugs in this code, and say how each can be shown.",
        ),
        CODE,
    ),
)


def tasks() -> list[Task]:
    """All of them; the same each time."""
    random_ = random.Random(SEED)  # noqa: S311 - nothing is secret
    found: list[Task] = []
    for kind in KINDS:
        for number in range(kind.count):
            size = random_.randint(*kind.sizes)
            start = random_.randrange(len(kind.says))
            text = (kind.says * (size // len(kind.says) + 2))[start : start + size]
            is_critical = bool(kind.critical) and number % kind.critical == 0
            messages = (
                Message("system", random_.choice(kind.instructions)),
                Message("user", text),
            )
            needs = Needs(
                complexity=kind.complexity, accuracy="critical" if is_critical else "normal"
            )
            found.append(Task(kind.name, messages, needs, random_.randint(*kind.answer)))
    return found


class Chosen:
    """Which models a routing takes for tasks."""

    def __init__(self, models: tuple[tuple[str, str], ...], settings: ModelSettings) -> None:
        chooser = Chooser(KEYS.get, settings, provider_of=provider_of)
        catalogue = Catalogue(settings)
        self._router = Router(chooser, catalogue, Health())
        self._routing = LLMRouting(
            strategy="cost-optimized",
            fallbacks=tuple(Fallback(provider=name, model=model) for name, model in models),
        )
        strongest = chooser.choose("/".join(models[0]))
        self.strongest = Candidate(strongest, catalogue.entry(strongest), "always")

    def of(self, task: Task, *, stated: bool) -> Candidate:
        request = ModelRequest(task.messages, needs=task.needs if stated else None)
        return self._router.candidates(request, self._routing)[0]


def measured() -> dict[str, float]:
    found: dict[str, float] = {"routing.tasks": len(all_ := tasks())}
    for prefix, models in LISTS.items():
        said = AS_LISTED if prefix == "as_listed_" else {}
        chosen = Chosen(models, ModelSettings.model_validate(said))
        always = sum((task.usd(chosen.strongest) for task in all_), Decimal(0))
        for stated in (True, False):
            got = [(task, chosen.of(task, stated=stated)) for task in all_]
            usd = sum((task.usd(model) for task, model in got), Decimal(0))
            below = Counter(t.kind for t, model in got if model.entry.quality < t.quality)
            above = sum(model.entry.quality > task.quality for task, model in got)
            name = f"routing.{prefix}{'' if stated else 'estimated_'}"
            found[f"{name}saving_pct"] = float(round(100 * (1 - usd / always), 1))
            share = Counter(model.choice.name for _, model in got).most_common()
            print(f"{name}: {usd:.4f} USD beside {always:.4f}; {share}; below {dict(below)}")
            if stated:
                found[f"{name}needs_missed"] = below.total()
            else:
                found[f"{name}below_pct"] = round(100 * below.total() / len(all_), 1)
                found[f"{name}above_pct"] = round(100 * above / len(all_), 1)
    return found


def main() -> None:
    load = os.getloadavg()[0]
    found = measured()
    for name, value in found.items():
        print(f"{name:42} {value:>8}")
    print(json.dumps({"routing": found, "load": round(load, 1)}))
    record(found, load=load)


if __name__ == "__main__":
    sys.exit(main())
