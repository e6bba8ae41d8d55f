"""Types of authors whose values may pass from one step to the next.

A setup cell registers one, so that every process that runs a node's code knows it; an installed
package gives one by an entry point of the group `agentflow.types`. A stored value names its type;
what a type does is never read from a document or a value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from agentflow_dagster.errors import RunError, TypeNotKnown, UsageError
from agentflow_dagster.spec.values import TYPED, Part, join, split, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.spec.values import JsonObject, JsonValue, Value

TypeT = TypeVar("TypeT")

ENTRY_POINT = "agentflow.types"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
_PLAIN = (type(None), bool, int, float, str, list, dict, bytes)
_SHOWN = 1_000
"""Most characters of JSON that expressions and previews are shown of a value."""


@dataclass(frozen=True, slots=True)
class StoredType:
    """How values of one type are stored.

    Args:
        type: The type; values of types derived from it are not meant.
        name: What stored values call it. It must stay as long as values are kept.
        store: Gives what can pass by itself: JSON, a table, an array, bytes, or these in a dict.
        restore: Takes that, and gives the value again.
    """

    type: type
    name: str
    store: Callable[[Any], object]
    restore: Callable[..., object]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(
                f"{self.name!r} is no name of a type.",
                hint="Begin with a letter; use letters, digits, and . _ -.",
            )
        if self.type in _PLAIN:
            raise UsageError(f"{self.type.__name__} passes as it is; it cannot be registered.")


_registered: dict[type, StoredType] = {}
"""By type. Names are looked for among its values: a type that a cell defines again is another."""


def register_type(
    type_: type[TypeT],
    *,
    store: Callable[[TypeT], object],
    restore: Callable[..., TypeT],
    name: str = "",
) -> None:
    """Lets values of a type pass between nodes; to be called in a setup cell.

    A name that is registered again stands for the later type: setup cells may be run twice.

    Args:
        type_: The type.
        store: Gives what can pass by itself: JSON, a table, an array, bytes, or these in a dict.
        restore: Takes that, and gives the value again.
        name: What stored values call the type; the type's own name where none is given.

    Raises:
        UsageError: the name is none, or the type passes as it is.
    """
    stored = StoredType(type_, name or type_.__name__, store, restore)
    for known in [t for t, one in _registered.items() if one.name == stored.name]:
        del _registered[known]
    _registered[type_] = stored


def of(obj: object) -> StoredType | None:
    """How a value is stored whose type was registered in this process."""
    return _registered.get(type(obj))


def of_plugins(obj: object) -> StoredType | None:
    """How a value is stored whose type an installed package gives.

    Raises:
        UsageError: a package's entry point is no `StoredType`.
    """
    return next((one for one in _plugins().values() if one.type is type(obj)), None)


def to_part(stored: StoredType, value: Value) -> Part:
    """A value as it is stored.

    Args:
        stored: How its type is stored.
        value: What `store` gave, packed.
    """
    body, parts = split(value)
    listing: list[JsonValue] = [
        [key, part.media_type, dict(part.summary), len(part.data)] for key, part in parts.items()
    ]
    head = json.dumps([stored.name, body, listing]).encode()
    data = b"".join([len(head).to_bytes(8, "big"), head, *(p.data for p in parts.values())])
    summary: JsonObject = {"type": stored.name}
    if not parts and len(head) <= _SHOWN:
        summary["value"] = body
    return Part(TYPED, data, summary)


def from_part(part: Part) -> object:
    """The value again.

    Raises:
        TypeNotKnown: its type is not registered in this process.
        RunError: its type's `restore` does not take it.
    """
    start = 8 + int.from_bytes(part.data[:8], "big")
    name, body, listing = json.loads(part.data[8:start])
    known: Mapping[str, StoredType] = {one.name: one for one in _registered.values()}
    stored = known.get(name) or _plugins().get(name)
    if stored is None:
        raise TypeNotKnown(name)
    parts: dict[str, Part] = {}
    for key, media_type, summary, length in listing:
        parts[key] = Part(media_type, part.data[start : start + length], summary)
        start += length
    given = unpack(join(body, parts))
    try:
        return stored.restore(given)
    except Exception as problem:
        raise RunError(
            f"A value of the registered type {name!r} cannot be restored: {problem!r}.",
            hint="Mend its `restore`; it has to take what `store` gave when the value was kept.",
            retryable=False,
        ) from problem


@cache
def _plugins() -> Mapping[str, StoredType]:
    """Those of installed packages, looked for when a type is not known otherwise: that reads a file
    of every installed package."""
    from importlib.metadata import entry_points

    found: dict[str, StoredType] = {}
    for entry in entry_points(group=ENTRY_POINT):
        try:
            stored: object = entry.load()
        except Exception as problem:
            raise UsageError(
                f"The type {entry.name!r} ({entry.value}) cannot be loaded: {problem!r}.",
                hint="Mend or uninstall the package.",
            ) from problem
        if not isinstance(stored, StoredType):
            raise UsageError(
                f"The entry point {entry.name!r} ({entry.value}) is no stored type.",
                hint="It names an agentflow_dagster.StoredType.",
            )
        if stored.name in found:
            raise UsageError(f"Two installed packages give a type named {stored.name!r}.")
        found[stored.name] = stored
    return cast("Mapping[str, StoredType]", found)
