"""Finds values in a text: strings of a known form, numbers, and sentences that answer a field."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from agentflow_dagster.models.extractive.centrality import rank
from agentflow_dagster.models.extractive.draft import draft, nearest, points, summary
from agentflow_dagster.models.extractive.sentences import sentences
from agentflow_dagster.models.extractive.task import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.models.embedding import SentenceModel
    from agentflow_dagster.spec.values import JsonSchema

_FORMS = {
    "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "uri": r"https?://[^\s<>\"')\]]+[^\s<>\"')\].,;:!?]",
    "date-time": r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})",
    "date": r"\d{4}-\d{2}-\d{2}",
    "time": r"\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2})?",
    "ipv4": r"(?:\d{1,3}\.){3}\d{1,3}",
    "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}
_NUMBER = re.compile(r"(?<![\w.])(?<![A-Za-z]-)[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])")
_SUMMARY_FIELD = re.compile(r"summary|synopsis|abstract|tldr|gist|overview", re.IGNORECASE)
_TITLE_FIELD = re.compile(r"^(?:title|subject|headline|heading)$", re.IGNORECASE)
_REPLY_FIELD = re.compile(r"reply|response|draft|message|email", re.IGNORECASE)
_TITLE_WORDS = 12
_MOST_MATCHES = 500


def string_for(
    name: str, said: str, schema: JsonSchema, task: Task, *, model: SentenceModel
) -> str | None:
    """A string out of the task's text for one field; None where the text has none of its form.

    Args:
        name: The field's name; `summary`, `title` and `reply` and their like have their own way.
        said: What the field is, in words.
    """
    form = _FORMS.get(str(schema.get("format", "")))
    pattern = schema.get("pattern") or form
    if pattern:
        found = _matches(str(pattern).removeprefix("^").removesuffix("$"), task.text)
        return next(iter(_nearest_first(found, said, task.text, model=model)), None)
    if _SUMMARY_FIELD.search(name):
        found = summary(task.text, Task(request=said, text=task.text), model=model)
    elif _TITLE_FIELD.match(name):
        found = _cut(summary(task.text, Task("one sentence"), model=model), words=_TITLE_WORDS)
    elif _REPLY_FIELD.search(name):
        found = draft(Task(f"reply\n{task.request}", task.text, task.passages), model=model)
    else:
        source = "\n\n".join((task.text, *task.passages))
        found = nearest(source, said, model=model)
    return _fitted(found, schema, task.text)


def strings_for(
    name: str,
    said: str,
    task: Task,
    schema: JsonSchema,
    *,
    least: int,
    most: int | None,
    model: SentenceModel,
) -> list[str]:
    """The sentences nearest to what a list is said to hold: three, within its bounds.

    Args:
        name: The list's name; `summary` and its like get the most central sentences, as many as
            the list takes.
        schema: What each must meet; a sentence is cut to its `maxLength`, or left out where it is
            shorter than its `minLength`.
    """
    fitted = (_fitted(part, schema, part) for part in sentences(task.text))
    parts = [p for p in dict.fromkeys(fitted) if len(p) >= int(schema.get("minLength", 0))]
    if _SUMMARY_FIELD.search(name):
        wanted = max(least, 3 if most is None else most)
        return points("\n\n".join(parts), said, most=wanted, model=model)
    wanted = max(least, 3 if most is None else min(3, most))
    found = sorted(i for i, _ in rank(parts, model=model, question=said)[:wanted])
    return [parts[i] for i in found]


def numbers_for(said: str, text: str, *, model: SentenceModel) -> list[float]:
    """The numbers that stand in a text, those first whose surroundings are nearest to the field."""
    # The parts of a date or a time are no amounts.
    bare = re.sub("|".join(_FORMS[name] for name in ("date-time", "date", "time")), _blank, text)
    found = list(_NUMBER.finditer(bare))
    return [
        float(number.replace(",", "")) for number in _nearest_first(found, said, text, model=model)
    ]


def _matches(pattern: str, text: str) -> list[re.Match[str]]:
    return list(islice(re.finditer(pattern, text), _MOST_MATCHES))


def _blank(match: re.Match[str]) -> str:
    return "_" * len(match[0])


def _nearest_first(
    found: Sequence[re.Match[str]], said: str, text: str, *, model: SentenceModel
) -> list[str]:
    """What was matched in a text, those first whose surroundings are nearest to the field."""
    if len(found) < 2:
        return [match[0] for match in found]
    around = [
        " ".join((*text[: m.start()].split()[-6:], m[0], *text[m.end() :].split()[:4]))
        for m in found
    ]
    cosines = model.embed(around) @ model.embed([said])[0]
    order = sorted(range(len(found)), key=lambda i: (-round(float(cosines[i]), 6), i))
    return [found[i][0] for i in order]


def _fitted(text: str, schema: JsonSchema, source: str) -> str:
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    if len(text) < least:
        text = " ".join(source.split()) if len(source) >= least else text
    if most is not None and len(text) > int(most):
        cut = text[: int(most)]
        shorter = cut.rsplit(" ", 1)[0]
        text = shorter if len(shorter) >= least else cut
    return text


def _cut(text: str, *, words: int) -> str:
    said = text.split()
    return " ".join(said[:words]) + (" …" if len(said) > words else "")
