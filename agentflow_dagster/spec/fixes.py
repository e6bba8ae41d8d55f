"""A fix: the change of a document that mends a problem, as data that any editor can offer."""

from __future__ import annotations

from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Put(_Frozen):
    """Sets what stands at a place, or adds it."""

    op: Literal["add"] = "add"
    path: str
    value: JsonValue


class Remove(_Frozen):
    """Takes a place out."""

    op: Literal["remove"] = "remove"
    path: str


class Rename(_Frozen):
    """Gives a field another name in the same mapping; it stays where it stands."""

    op: Literal["move"] = "move"
    from_: str = Field(alias="from")
    path: str


Edit: TypeAlias = Annotated[Put | Remove | Rename, Field(discriminator="op")]


class Fix(_Frozen):
    """What mends one problem, where its meaning is certain.

    Args:
        title: What is done, in a few words.
        edits: Operations of JSON Patch (RFC 6902) on the document.
    """

    title: str
    edits: tuple[Edit, ...]


def put(title: str, path: str, value: JsonValue) -> Fix:
    """A fix that sets one place."""
    return Fix(title=title, edits=(Put(path=path, value=value),))


def meant(name: str, known: Iterable[str]) -> str | None:
    """The one known name that a slip of the pen stands for; None where it could be another.

    `max_attempts` and `MaxAttempts` are `maxAttempts`; `maxAttempt` is, where no other is near.
    """
    names = list(known)
    same = [other for other in names if _letters(other) == _letters(name)]
    if len(same) == 1:
        return same[0]
    close = get_close_matches(name, names, n=2, cutoff=0.6)
    if not close or SequenceMatcher(None, close[0], name).ratio() < 0.7:
        return None
    return close[0] if len(close) == 1 else None


def _letters(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
