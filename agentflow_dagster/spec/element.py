"""The base of the document's parts, and the forms of text that several of them share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

_NODE_NAME = r"^[a-z][a-z0-9_]*$"
_COLUMN = r"^[A-Za-z_][A-Za-z0-9_]*$"
PATTERN_HINTS = {
    _NODE_NAME: "Use lower-case letters, digits and underscores, beginning with a letter.",
    _COLUMN: "Use letters, digits and underscores.",
}
"""What to do about a text that does not match, by pattern."""

NodeName = Annotated[str, StringConstraints(pattern=_NODE_NAME, max_length=63)]
"""An identifier, since expressions read `name.output`."""
ColumnName = Annotated[str, StringConstraints(pattern=_COLUMN, max_length=128)]
"""A column as a query gives it."""
Template = Annotated[str, StringConstraints(max_length=200_000)]
"""Text in which `{{ }}` holds a CEL expression."""
Text = Annotated[str, StringConstraints(max_length=10_000)]


class Element(BaseModel):
    """Base of the document's parts: frozen, camelCase in JSON, nothing unknown accepted."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )
