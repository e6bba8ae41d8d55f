"""Measures how often the offline model files a real text as its maintainers did.

    python benchmarks/offline_accuracy.py [--json]

Two sets of texts, with the labels that their own projects gave them:

- `tickets`: `notebooks/data/tickets.jsonl` (its README says what stands there and why);
- `operations`: what an operation of a web service does, and of which of eight services it is: the
  first sentence on each of the first twenty operations in botocore's service descriptions
  (Apache-2.0; botocore comes with LiteLLM).

Prints accuracy beside the majority class, the mean confidence and what was taken for what.
Deterministic; needs no network.
"""

from __future__ import annotations

import argparse
import html
import json
import re
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentflow_dagster.models import SentenceModel
from agentflow_dagster.models.extractive.sentences import sentences
from agentflow_dagster.models.extractive.zero_shot import Label, classify

if TYPE_CHECKING:
    from collections.abc import Sequence

TICKETS = Path(__file__).parents[1] / "notebooks" / "data" / "tickets.jsonl"
TICKET_LABELS = (
    Label("bug", "something is broken, fails or gives a wrong result"),
    Label("howto", "a question: how do I, can I, why does it"),
    Label("feature", "a wish: add support or an option, make an improvement"),
    Label("licence", "licences, payment and legal terms"),
)
SERVICES = (
    Label("support", "support cases and help requests"),
    Label("budgets", "budgets and spending limits"),
    Label("ce", "costs and usage reports"),
    Label("iam", "users, roles and permissions"),
    Label("s3", "files stored in buckets"),
    Label("sesv2", "sending email"),
    Label("dynamodb", "database tables and items"),
    Label("lambda", "functions that run code"),
)
_OPERATIONS = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured on one set; shares are 0 to 1."""

    texts: int
    majority: float
    accuracy: float
    mean_confidence: float
    confusion: dict[str, dict[str, int]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Accuracy of offline/extractive.", allow_abbrev=False
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of text")
    as_json = parser.parse_args().json
    model = SentenceModel()
    sets = {
        "tickets": (tickets(), TICKET_LABELS),
        "tickets, body alone": (tickets(subject=False), TICKET_LABELS),
        "operations": (operations(), SERVICES),
    }
    figures = {name: measure(texts, labels, model) for name, (texts, labels) in sets.items()}
    if as_json:
        print(json.dumps({name: vars_of(found) for name, found in figures.items()}))
        return
    for name, found in figures.items():
        _print(name, found)


def tickets(*, subject: bool = True) -> list[tuple[str, str]]:
    """`(text, label)` of each ticket, with its subject before it or without."""
    read = [json.loads(line) for line in TICKETS.read_text(encoding="utf-8").splitlines()]
    return [
        (". ".join(p for p in (t["subject"] if subject else "", t["body"]) if p), t["label"])
        for t in read
    ]


def operations() -> list[tuple[str, str]]:
    """`(first sentence on an operation, service)`, by service and then by operation's name."""
    loaders: Any = import_module("botocore.loaders")
    loader = loaders.Loader()
    found: list[tuple[str, str]] = []
    for service in SERVICES:
        described = loader.load_service_model(service.name, "service-2")["operations"]
        texts = [_first_sentence(described[name].get("documentation", "")) for name in described]
        found += [(t, service.name) for t in texts if len(t) > 30][:_OPERATIONS]
    return found


def measure(
    texts: Sequence[tuple[str, str]], labels: Sequence[Label], model: SentenceModel
) -> Figures:
    """Classifies every text and compares."""
    confusion = {label.name: Counter[str]() for label in labels}
    confidence = 0.0
    for text, truth in texts:
        verdict = classify(text, labels, model=model)
        confusion[truth][labels[verdict.best].name] += 1
        confidence += verdict.confidence
    sizes = [sum(row.values()) for row in confusion.values()]
    return Figures(
        texts=len(texts),
        majority=max(sizes) / len(texts),
        accuracy=sum(row[name] for name, row in confusion.items()) / len(texts),
        mean_confidence=confidence / len(texts),
        confusion={name: dict(row) for name, row in confusion.items()},
    )


def vars_of(found: Figures) -> dict[str, object]:
    return {name: getattr(found, name) for name in Figures.__slots__}


def _first_sentence(documentation: str) -> str:
    plain = html.unescape(re.sub(r"<[^>]+>", " ", documentation))
    return next(iter(sentences(plain)), "")


def _print(name: str, found: Figures) -> None:
    print(
        f"{name}: {found.texts} texts, accuracy {found.accuracy:.1%}, majority class "
        f"{found.majority:.1%}, mean confidence {found.mean_confidence:.1%}"
    )
    names = list(found.confusion)
    print(f"{'is, taken for':>14}" + "".join(f"{n:>9}" for n in names))
    for truth, row in found.confusion.items():
        print(f"{truth:>14}" + "".join(f"{row.get(n, 0):9}" for n in names))
    print()


if __name__ == "__main__":
    main()
