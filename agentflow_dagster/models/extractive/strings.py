"""Finds values in a text: strings of a known form, numbers, and sentences that answer a field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentflow_dagster.models.extractive.centrality import rank
from agentflow_dagster.models.extractive.draft import draft, nearest, summary
from agentflow_dagster.models.extractive.sentences import sentences
from agentflow_dagster.models.extractive.task import Task

if TYPE_CHECKING:
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
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])")
_SUMMARY_FIELD = re.compile(r"summary|synopsis|abstract|tldr|gist|overview", re.IGNORECASE)
_TITLE_FIELD = re.compile(r"^(?:title|subject|headline|heading)$", re.IGNORECASE)
_REPLY_FIELD = re.compile(r"reply|response|draft|message|email", re.IGNORECASE)
_TITLE_WORDS = 12


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
        match = re.search(str(pattern).removeprefix("^").removesuffix("$"), task.text)
        return match[0] if match else None
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
        schema: What each must meet; a sentence is cut to its `maxLength`, or left out where it is
            shorter than its `minLength`.
    """
    fitted = (_fitted(part, schema, part) for part in sentences(task.text))
    parts = [p for p in dict.fromkeys(fitted) if len(p) >= int(schema.get("minLength", 0))]
    wanted = max(least, 3 if most is None else min(3, most))
    found = sorted(i for i, _ in rank(parts, model=model, question=said)[:wanted])
    return [parts[i] for i in found]


def numbers_for(said: str, text: str, *, model: SentenceModel) -> list[float]:
    """The numbers that stand in a text, those first whose surroundings are nearest to the field."""
    found = list(_NUMBER.finditer(text))
    around = [
        " ".join((*text[: m.start()].split()[-6:], m[0], *text[m.end() :].split()[:4]))
        for m in found
    ]
    if not found:
        return []
    cosines = model.embed(around) @ model.embed([said])[0]
    order = sorted(range(len(found)), key=lambda i: (-round(float(cosines[i]), 6), i))
    return [float(found[i][0].replace(",", "")) for i in order]


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
