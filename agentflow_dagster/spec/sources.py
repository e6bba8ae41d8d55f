"""What the checks know of a connector: its config and what its events hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from pydantic import BaseModel

    from agentflow_dagster.spec.values import JsonSchema


class SourceSignature(Protocol):
    """A connector as it is seen before anything runs."""

    @property
    def config(self) -> type[BaseModel]:
        """The model of a trigger's `config`."""
        ...

    @property
    def event_schema(self) -> JsonSchema:
        """JSON Schema of `event`, an object."""
        ...


SourceCatalogue: TypeAlias = Mapping[str, SourceSignature]
"""Connectors by name."""
