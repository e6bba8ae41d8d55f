"""Measures how often the offline model files a real ticket as its maintainers did.

    python benchmarks/offline_accuracy.py [--json]

Prints accuracy beside the majority class, the confusion matrix and the mean confidence. The texts
and whose labels they are: `notebooks/data/README.md`. Deterministic, and needs no network.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from agentflow_dagster.models.embedding import SentenceModel
from agentflow_dagster.models.extractive.zero_shot import Label, classify

TICKETS = Path(__file__).parents[1] / "notebooks" / "data" / "tickets.jsonl"
LABELS = (
    Label("bug", "something is broken, fails or gives a wrong result"),
    Label("howto", "a question: how do I, can I, why does it"),
    Label("feature", "a wish: add support or an option, make an improvement"),
    Label("licence", "licences, payment and legal terms"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of text")
    figures = measure()
    if parser.parse_args().json:
        print(json.dumps(figures))
    else:
        _print(figures)


def measure() -> dict[str, object]:
    """Accuracy (0 to 1) with and without the subject, and what was confused with what."""
    tickets = [json.loads(line) for line in TICKETS.read_text(encoding="utf-8").splitlines()]
    model = SentenceModel()
    truth: list[str] = [ticket["label"] for ticket in tickets]
    whole, confidence = _answers([". ".join(_parts(t)) for t in tickets], model)
    body_alone, _ = _answers([t["body"] for t in tickets], model)
    return {
        "tickets": len(tickets),
        "majority": Counter(truth).most_common(1)[0][1] / len(truth),
        "accuracy": _share(whole, truth),
        "accuracy_body_alone": _share(body_alone, truth),
        "mean_confidence": confidence,
        "confusion": {
            label.name: Counter(a for a, t in zip(whole, truth, strict=True) if t == label.name)
            for label in LABELS
        },
    }


def _parts(ticket: dict[str, str]) -> list[str]:
    return [part for part in (ticket["subject"], ticket["body"]) if part]


def _answers(texts: list[str], model: SentenceModel) -> tuple[list[str], float]:
    verdicts = [classify(text, LABELS, model=model) for text in texts]
    mean = sum(v.confidence for v in verdicts) / len(verdicts)
    return [LABELS[v.best].name for v in verdicts], mean


def _share(answers: list[str], truth: list[str]) -> float:
    return sum(a == t for a, t in zip(answers, truth, strict=True)) / len(truth)


def _print(figures: dict[str, object]) -> None:
    for name, value in figures.items():
        if isinstance(value, dict):
            continue
        print(f"{name:20} {value:.3f}" if isinstance(value, float) else f"{name:20} {value}")
    confusion = figures["confusion"]
    assert isinstance(confusion, dict)
    names = [label.name for label in LABELS]
    print(f"\n{'filed as':>10}  " + "".join(f"{n:>9}" for n in names))
    for name in names:
        print(f"{name:>10}  " + "".join(f"{confusion[name][n]:9}" for n in names))


if __name__ == "__main__":
    main()
