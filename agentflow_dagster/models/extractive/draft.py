"""Writes plain-text answers out of sentences that were given: summaries, answers and replies.

Only the few words of a reply's frame are ours, and they claim nothing that is not so. What a
sentence says is never changed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentflow_dagster.models.extractive.centrality import central, rank
from agentflow_dagster.models.extractive.sentences import sentences
from agentflow_dagster.models.extractive.zero_shot import Label, classify

if TYPE_CHECKING:
    from agentflow_dagster.models.embedding import SentenceModel
    from agentflow_dagster.models.extractive.task import Task

RELEVANT = 0.35
"""Cosine from which a passage is taken to answer a text. Of 74 questions of the curl project's FAQ,
19 in 20 are nearer to their own answer; ten questions on other matters stay below 0.28 to all."""

_SUMMARY = re.compile(
    r"summar|shorten|condense|tl;?dr|key point|main point|in short", re.IGNORECASE
)
_REPLY = re.compile(
    r"\b(?:reply|replies|respond|response|draft|compose|e-?mail|letter)\b", re.IGNORECASE
)
_COUNT = re.compile(
    r"\b(\d+|one|two|three|four|five|single)\s+(?:short\s+)?(?:sentence|point|bullet|line)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"\b(?:at most|up to|within|in|under)\s+(\d+)\s+words?\b", re.IGNORECASE)
_NUMBERS = {"one": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_LONGEST_QUOTE = 400
_SURE = 0.7
_NEAR = 0.7
_INTENTS = (
    Label("problem", "something is broken, fails or gives a wrong result"),
    Label("question", "a question: how do I, can I, why does it"),
    Label("wish", "a wish: add support or an option, make an improvement"),
    Label("payment", "charges, invoices, refunds, licences and payment"),
)
_OPENINGS = (
    "Thank you for reporting this problem.",
    "Thank you for your question.",
    "Thank you for the suggestion.",
    "Thank you for writing about this charge or licence.",
)
_UNSURE = "Thank you for writing."


def draft(task: Task, *, model: SentenceModel) -> str:
    """The answer to a task, as text; never empty."""
    if _SUMMARY.search(task.request):
        return summary(task.text or " ".join(task.passages) or task.request, task, model=model)
    if _REPLY.search(task.request) and task.text:
        return reply(task, model=model)
    question = task.text or task.request
    if task.passages:
        return answer(question, task.passages, model=model) or (
            f"None of the given passages answers this: {_quote(question, model=model)}"
        )
    if task.text and task.request:
        return nearest(task.text, task.request, model=model)
    if len(sentences(task.text)) > 1:
        return summary(task.text, task, model=model)
    # A single sentence has nothing to choose from: giving it back would be an echo, not an answer.
    return (
        "The offline model answers only from text that it is given, and was given none for: "
        f"{_quote(question, model=model)}"
    )


def summary(text: str, task: Task, *, model: SentenceModel) -> str:
    """The most central sentences: as many as the request says, else a third, at most three."""
    parts = sentences(text)
    count = _wanted(task.request, default=min(3, max(1, len(parts) // 3)))
    chosen = points(text, task.request, most=count, model=model)
    return " ".join(chosen) or text.strip() or task.request


def points(text: str, request: str, *, most: int, model: SentenceModel) -> list[str]:
    """The most central sentences of a text, in its order, within the words that are allowed.

    A sentence that does not fit is passed over for a less central one that does; the first is
    taken whatever its length.
    """
    parts = sentences(text)
    allowed = _WORDS.search(request)
    if allowed is None:
        return central(parts, count=most, model=model)
    left = int(allowed[1])
    taken: list[int] = []
    for index, _ in rank(parts, model=model):
        length = len(parts[index].split())
        if len(taken) < most and (length <= left or not taken):
            taken.append(index)
            left -= length
    return [parts[index] for index in sorted(taken)]


def reply(task: Task, *, model: SentenceModel) -> str:
    """A reply to the text: what it is taken to want, its central point, and what is known of it."""
    verdict = classify(task.text, _INTENTS, model=model)
    known = answer(task.text, task.passages, model=model)
    rest = known or "We have no answer to it at hand yet."
    opening = _OPENINGS[verdict.best] if verdict.confidence >= _SURE else _UNSURE
    return f"{opening} You wrote: {_quote(task.text, model=model)}\n\n{rest}"


def nearest(text: str, question: str, *, model: SentenceModel) -> str:
    """The sentences of a text that lie nearest to a question, in their order.

    As many as the question says, else at most two; a second one only where it is about as near.
    """
    parts = sentences(text)
    found = rank(parts, model=model, question=question)
    found = found[: _wanted(question, default=2)]
    chosen = sorted(i for i, cosine in found if cosine >= _NEAR * found[0][1])
    return " ".join(parts[i] for i in chosen) or text.strip()


def answer(question: str, passages: tuple[str, ...], *, model: SentenceModel) -> str:
    """The passage nearest to the question, or its two nearest sentences where it is long.

    Empty where no passage is near enough (`RELEVANT`).
    """
    if not passages:
        return ""
    cosines = model.embed(passages) @ model.embed([question])[0]
    best = int(cosines.argmax())
    if float(cosines[best]) < RELEVANT:
        return ""
    parts = sentences(passages[best])
    if len(parts) <= 3:
        return passages[best]
    return nearest(passages[best], question, model=model)


def _quote(text: str, *, model: SentenceModel) -> str:
    said = " ".join(central(sentences(text), count=1, model=model)) or " ".join(text.split())
    if len(said) > _LONGEST_QUOTE:
        said = f"{said[:_LONGEST_QUOTE].rsplit(' ', 1)[0]} …"
    return f"“{said}”"


def _wanted(request: str, *, default: int) -> int:
    match = _COUNT.search(request)
    if match is None:
        return default
    said = match[1].lower()
    return _NUMBERS.get(said) or max(1, min(20, int(said)))
