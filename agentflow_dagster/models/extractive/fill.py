"""Fills a JSON Schema from a text: choices by similarity, strings and numbers by extraction.

What each shape gets:

- a closed choice (`enum`, `const`, alternatives that are constants): the nearest label;
- a number called `confidence`, `score` or the like: how sure the choice beside it is, 0 to 1, laid
  onto the field's range; a number with a minimum and a maximum: how near the text comes to the
  field's words, laid onto that range; another number: the one in the text whose surroundings are
  nearest;
- a boolean: whether the text comes near to the field's words (both rough: prefer a closed choice);
- a string: see `strings.py`; a list of them: the nearest sentences; a list of choices: every label
  at least half as sure as the surest; a list of objects: one for each of the nearest sentences;
- an object: each property so; an optional one is left out where the text has no value for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from agentflow_dagster.models.extractive.shapes import (
    alternatives,
    choices,
    kind_of,
    resolved,
    words,
)
from agentflow_dagster.models.extractive.strings import numbers_for, string_for, strings_for
from agentflow_dagster.models.extractive.zero_shot import classify, nearness

if TYPE_CHECKING:
    from agentflow_dagster.models.embedding import SentenceModel
    from agentflow_dagster.models.extractive.task import Task
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue

_CONFIDENCE = re.compile(r"confidence|score|probability|certainty|likelihood", re.IGNORECASE)
_DEEPEST = 12


class FillError(Exception):
    """The text has no value for a field. `path` is its JSON pointer."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or 'the reply'}: {reason}")
        self.path = path


def fill(schema: JsonSchema, task: Task, *, model: SentenceModel) -> JsonValue:
    """A value for the schema, taken from the task's text; the same task gives the same value.

    Raises:
        FillError: a required field that the text says nothing for, or a schema without an end.
    """
    subject = task if task.text else replace(task, text=task.request)
    return _Filler(model, schema, subject).value(schema, _Place("", ""))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the reply a value goes, and how sure the choice beside it was."""

    path: str
    name: str
    depth: int = 0
    confidence: float | None = None

    def under(self, name: str, *, confidence: float | None = None) -> _Place:
        return _Place(f"{self.path}/{name}", name, self.depth + 1, confidence)


@dataclass(frozen=True, slots=True)
class _Pick:
    value: JsonValue
    confidence: float


@dataclass(frozen=True, slots=True)
class _Filler:
    model: SentenceModel
    root: JsonSchema
    task: Task

    def value(self, schema: JsonSchema, place: _Place) -> JsonValue:
        if place.depth > _DEEPEST:
            raise FillError(place.path, "the schema refers to itself without an end")
        try:
            schema = resolved(schema, self.root)
        except (KeyError, IndexError, ValueError) as error:
            raise FillError(place.path, f"its reference {error} leads nowhere") from error
        if pick := self._picked(schema):
            return pick.value
        if alternatives(schema):
            return self._first_alternative(schema, place)
        match kind_of(schema):
            case "object":
                return self._object(schema, place)
            case "array":
                return self._array(schema, place)
            case "number" | "integer":
                return self._number(schema, place)
            case "boolean":
                return self._boolean(schema, place)
            case "null":
                return None
            case _:
                return self._string(schema, place)

    def _first_alternative(self, schema: JsonSchema, place: _Place) -> JsonValue:
        shared = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf")}
        options = [{**shared, **option} for option in alternatives(schema)]
        # `null` last: it is the way out where the text has no value.
        options.sort(key=lambda option: option.get("type") == "null")
        failure = FillError(place.path, "it has no alternatives")
        for option in options:
            try:
                return self.value(option, place)
            except FillError as error:
                failure = error
        raise failure

    def _object(self, schema: JsonSchema, place: _Place) -> JsonObject:
        properties = cast("dict[str, JsonSchema]", schema.get("properties", {}))
        required = cast("list[str]", schema.get("required", []))
        picked = {name: p for name, s in properties.items() if (p := self._picked(s))}
        found: JsonObject = {}
        for name in (*properties, *(n for n in required if n not in properties)):
            if name in picked:
                found[name] = picked[name].value
                continue
            inner = place.under(name, confidence=_beside(name, picked))
            try:
                found[name] = self.value(properties.get(name, {}), inner)
            except FillError:
                if name in required:
                    raise
        return found

    def _picked(self, schema: JsonSchema) -> _Pick | None:
        """The nearest of a closed choice; None where the schema is none, or cannot be read."""
        try:
            offered = choices(resolved(schema, self.root), self.root)
        except (KeyError, IndexError, ValueError):
            return None
        if not offered:
            return None
        verdict = classify(self.task.text, [c.label for c in offered], model=self.model)
        return _Pick(offered[verdict.best].value, verdict.confidence)

    def _array(self, schema: JsonSchema, place: _Place) -> list[JsonValue]:
        least, most = int(schema.get("minItems", 0)), cast("int | None", schema.get("maxItems"))
        fixed = cast("list[JsonSchema]", schema.get("prefixItems", []))
        if fixed:
            return [self.value(s, place.under(str(i))) for i, s in enumerate(fixed)]
        items = resolved(cast("JsonSchema", schema.get("items", {})), self.root)
        if most == 0:
            return []
        if offered := choices(items, self.root):
            verdict = classify(self.task.text, [c.label for c in offered], model=self.model)
            order = sorted(range(len(offered)), key=lambda i: -verdict.confidences[i])
            floor = verdict.confidence / 2
            taken = [
                i for n, i in enumerate(order) if n < least or verdict.confidences[i] >= floor
            ][:most]
            return [offered[i].value for i in taken]
        said = words(place.name, {**schema, "description": _said_of(schema, items)})
        if kind_of(items) == "string" and not {"format", "pattern"} & items.keys():
            parts = strings_for(
                place.name, said, self.task, items, least=least, most=most, model=self.model
            )
            return cast("list[JsonValue]", parts)
        return self._list_of(items, said, least, most, place)

    def _list_of(
        self, items: JsonSchema, said: str, least: int, most: int | None, place: _Place
    ) -> list[JsonValue]:
        parts = strings_for("", said, self.task, {}, least=least, most=most, model=self.model)
        found: list[JsonValue] = []
        for index, part in enumerate(parts):
            inner = _Filler(self.model, self.root, replace(self.task, text=part, passages=()))
            try:
                found.append(inner.value(items, place.under(str(index))))
            except FillError:
                if len(parts) - index + len(found) <= least:
                    raise
        return found

    def _number(self, schema: JsonSchema, place: _Place) -> JsonValue:
        low, high = schema.get("minimum"), schema.get("maximum")
        whole = kind_of(schema) == "integer"
        said = words(place.name, schema)
        if _CONFIDENCE.search(place.name) and place.confidence is not None:
            return _laid_onto(place.confidence, low, high, whole=whole)
        if low is not None and high is not None:
            share = nearness(self.task.text, said, model=self.model)
            return _laid_onto(share, low, high, whole=whole)
        for number in numbers_for(said, self.task.text, model=self.model):
            if (low is None or number >= low) and (high is None or number <= high):
                if not whole:
                    return number
                if number.is_integer():
                    return int(number)
        raise FillError(place.path, "the text holds no number that fits")

    def _boolean(self, schema: JsonSchema, place: _Place) -> bool:
        said = words(place.name, schema)
        return nearness(self.task.text, said, model=self.model) >= 0.5

    def _string(self, schema: JsonSchema, place: _Place) -> str:
        said = words(place.name, schema) or self.task.request
        found = string_for(place.name, said, schema, self.task, model=self.model)
        if found is None:
            raise FillError(place.path, "the text holds nothing of that form")
        return found


def _beside(name: str, picked: dict[str, _Pick]) -> float | None:
    """How sure the choice is that a confidence is about: its namesake, else the first."""
    own = next((pick for choice, pick in picked.items() if name.startswith(choice)), None)
    pick = own or next(iter(picked.values()), None)
    return pick.confidence if pick else None


def _laid_onto(share: float, low: float | None, high: float | None, *, whole: bool) -> float | int:
    start = 0.0 if low is None else float(low)
    end = start + 1.0 if high is None else float(high)
    value = start + share * (end - start)
    return round(value) if whole else round(value, 4)


def _said_of(schema: JsonSchema, items: JsonSchema) -> str:
    return str(schema.get("description") or items.get("description") or "")
