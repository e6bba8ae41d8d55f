"""Chooses among labels that it was never trained on, by their names and descriptions.

Zero-shot classification by embedding similarity (Veeranna et al., "Using Semantic Similarity for
Multi-Label Zero-Shot Classification of Text Documents", ESANN 2016), with three additions, chosen
on texts apart from those that `docs/models.md` reports on:

- The text is looked at whole, by sentence, and by the first five words of each sentence: the best
  of these counts. What a text is about fills it; what it *wants* often stands in one opening.
- A label stands for two points, its name and "name: description"; the nearer counts.
- The mean over the labels is taken off (of names and of descriptions, each apart), so that only
  what sets labels apart is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.models.extractive.sentences import opening, sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.models.embedding import SentenceModel, Vectors

TEMPERATURE = 0.07
"""Divides scores before the softmax, so that confidence means something: fitted once, on texts
apart from the reported ones (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017)."""


@dataclass(frozen=True, slots=True)
class Label:
    """One of the choices."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How near the text is to each label.

    Args:
        scores: A cosine for each label (-1 to 1), in the order the labels were given.
        confidences: Softmax over the scores; they add up to 1.
    """

    scores: tuple[float, ...]
    confidences: tuple[float, ...]

    @property
    def best(self) -> int:
        """Index of the nearest label; the first of equals."""
        return max(range(len(self.scores)), key=self.scores.__getitem__)

    @property
    def confidence(self) -> float:
        """Share of the nearest label, 0 to 1."""
        return self.confidences[self.best]


def classify(text: str, labels: Sequence[Label], *, model: SentenceModel) -> Verdict:
    """Compares a text with every label.

    Args:
        labels: At least one; descriptions may be empty.
    """
    import numpy as np

    if len(labels) == 1:
        return Verdict((1.0,), (1.0,))
    views = model.embed(_views(text))
    names = _apart(model.embed([label.name for label in labels]))
    described = _apart(model.embed([_described(label) for label in labels]))
    scores = np.maximum((views @ names.T).max(axis=0), (views @ described.T).max(axis=0))
    weights = np.exp((scores - scores.max()) / TEMPERATURE)
    weights = weights / weights.sum()
    return Verdict(tuple(map(float, scores)), tuple(map(float, weights)))


def nearness(text: str, statement: str, *, model: SentenceModel) -> float:
    """How near a text comes to a statement, 0 to 1: a cosine from 0 to 0.5 laid onto that range.

    Rough: it sees what a text is about, hardly whether it agrees.
    """
    cosine = float((model.embed(_views(text)) @ model.embed([statement])[0]).max())
    return min(1.0, max(0.0, cosine / 0.5))


def _views(text: str) -> list[str]:
    parts = sentences(text)
    return list(dict.fromkeys([text, *parts, *map(opening, parts)]))


def _described(label: Label) -> str:
    return f"{label.name}: {label.description}" if label.description else label.name


def _apart(points: Vectors) -> Vectors:
    import numpy as np

    offsets = points - points.mean(axis=0)
    # Labels that say the same thing leave nothing once their mean is off: keep the zeros.
    return offsets / np.maximum(np.linalg.norm(offsets, axis=1, keepdims=True), 1e-6)
