"""Links from an asset in Dagster's UI to the YAML line or notebook cell that it comes from."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, cast

from dagster import BetaWarning, CodeReferencesMetadataValue, LocalFileCodeReference

if TYPE_CHECKING:
    from agentflow_dagster.ports.stores import Version


def code_references(version: Version, node: str) -> dict[str, CodeReferencesMetadataValue]:
    """The metadata entry; empty where the version's source is not known."""
    file = version.source.get("file")
    if not isinstance(file, str):
        return {}
    positions = cast("dict[str, dict[str, int | None]]", version.source.get("positions") or {})
    place = positions.get(f"/spec/nodes/{node}") or {}
    cell = place.get("cell")
    label = f"{node} in {file}" if cell is None else f"{node} in {file}, cell {cell + 1}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BetaWarning)
        reference = LocalFileCodeReference(
            file_path=file, line_number=place.get("line"), label=label
        )
        return {"dagster/code_references": CodeReferencesMetadataValue(code_references=[reference])}
