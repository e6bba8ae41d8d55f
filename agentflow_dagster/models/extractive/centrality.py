"""Ranks sentences by how much the others agree with them, and with a question if there is one.

Continuous LexRank (Erkan and Radev, "LexRank: Graph-based Lexical Centrality as Salience in Text
Summarization", JAIR 2004) over sentence embeddings; with a question, its biased form (Otterbacher,
Erkan and Radev, "Using Random Walks for Question-focused Sentence Retrieval", HLT 2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.models.embedding import SentenceModel, Vectors

JUMP_SUMMARY = 0.15
JUMP_QUESTION = 0.8
"""How often the walk starts afresh; with a question it starts near the question."""
_STEPS = 60
_SAME = 0.92
"""Cosine from which a sentence repeats one already taken."""


def rank(
    sentences: Sequence[str], *, model: SentenceModel, question: str = ""
) -> list[tuple[int, float]]:
    """`(index, relevance)` of each sentence, best first, repetitions left out.

    Relevance is the cosine to the question, or the share of the walk where there is no question.
    """
    import numpy as np

    if not sentences:
        return []
    vectors = model.embed(sentences)
    near = np.clip(vectors @ vectors.T, 0.0, 1.0)
    walk = near / np.maximum(near.sum(axis=1, keepdims=True), 1e-9)
    start = np.full(len(sentences), 1.0 / len(sentences))
    jump, relevance = JUMP_SUMMARY, None
    if question:
        relevance = vectors @ model.embed([question])[0]
        wanted = np.clip(relevance, 1e-6, None) ** 2
        start, jump = wanted / wanted.sum(), JUMP_QUESTION
    share = start
    for _ in range(_STEPS):
        share = jump * start + (1.0 - jump) * (share @ walk)
    shown = share if relevance is None else relevance
    # Rounded, so that equals keep the order of the text on every machine.
    order = sorted(range(len(sentences)), key=lambda i: (-round(float(share[i]), 6), i))
    return [(i, float(shown[i])) for i in _without_repetitions(order, vectors)]


def central(text_sentences: Sequence[str], *, count: int, model: SentenceModel) -> list[str]:
    """The `count` most central sentences, in the order of the text."""
    best = sorted(i for i, _ in rank(text_sentences, model=model)[:count])
    return [text_sentences[i] for i in best]


def _without_repetitions(order: Sequence[int], vectors: Vectors) -> list[int]:
    kept: list[int] = []
    for index in order:
        if all(float(vectors[index] @ vectors[k]) < _SAME for k in kept):
            kept.append(index)
    return kept
