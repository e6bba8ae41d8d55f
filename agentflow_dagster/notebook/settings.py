"""What a notebook says of its agent as a whole: triggers, budget, labels and the like.

It stands as YAML in the cell `%%agentflow agent`, or as JSON in the notebook's `agentflow`
metadata. Where neither says what the agent's input or outputs are, the cells tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.node_config import read_cell_yaml
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.spec.diagnostics import Position, nearest, pointer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.notebook.cells import Notebook, NotebookCell
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.values import JsonObject

METADATA = ("name", "tag", "description", "labels", "icon")
SPEC = (
    *("inputs", "defaults", "secrets", "env", "triggers", "partitions", "outputs", "config"),
    *("budget", "llmRouting", "lineage", "tests"),
)
LAYOUT = "layout"
KNOWN = (*METADATA, *SPEC, LAYOUT)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is said of the agent as a whole.

    Args:
        values: By field; those of the document's `metadata`, `spec` and `layout` side by side.
        positions: The place of each pointer of the document, in the notebook.
        diagnostics: What is wrong.
    """

    values: JsonObject
    positions: Mapping[str, Position] = field(default_factory=dict[str, Position])
    diagnostics: tuple[Diagnostic, ...] = ()


def read_settings(notebook: Notebook) -> Settings:
    """Reads the cell and the metadata; fields that no one knows are left out."""
    found: list[Diagnostic] = []
    values = _metadata(notebook, found)
    positions: dict[str, Position] = {}
    cells = [cell for cell in notebook.cells if cell.role == "agent"]
    for cell in cells[:1]:
        said = read_agent_cell(cell)
        found += said.diagnostics
        for key in values.keys() & said.values.keys():
            message = f"{key!r} stands in the notebook's `agentflow` metadata, too."
            at = said.positions.get(place_of(key))
            found.append(replace(problem("AF625", message, hint="Keep one."), **_at(at)))
        values |= said.values
        positions |= said.positions
    for extra in cells[1:]:
        message = f"Cell {cells[0].index + 1} is `%%agentflow agent` already."
        found.append(problem("AF625", message, cell=extra, position=extra.head, hint="Keep one."))
    return Settings(values, positions, tuple(found))


def read_agent_cell(cell: NotebookCell) -> Settings:
    """Reads the YAML of a cell `%%agentflow agent`."""
    if not cell.source.strip():
        return Settings({})
    source = read_cell_yaml(cell.source)
    found = [
        one.at("", cell.place(Position(one.line or 1, one.column or 1)))
        for one in source.diagnostics
    ]
    values = source.document or {}
    positions: dict[str, Position] = {}
    for where, at in source.positions.items():
        key, slash, rest = where.removeprefix("/").partition("/")
        if key in KNOWN:
            positions[place_of(key) + slash + rest] = cell.place(at)
    for key in values:
        if key not in KNOWN:
            message = f"An agent has no {key!r}."
            at = source.positions.get(pointer(key), Position(1))
            found.append(
                problem("AF625", message, cell=cell, position=at, hint=nearest(key, KNOWN))
            )
    return Settings({k: v for k, v in values.items() if k in KNOWN}, positions, tuple(found))


def place_of(key: str) -> str:
    """Where a field stands in the document, as a JSON pointer."""
    if key == LAYOUT:
        return pointer(key)
    return pointer("metadata" if key in METADATA else "spec", key)


def agent_name(stem: str) -> str:
    """The file's name as an agent's: `My Report` is `my-report`."""
    return re.sub(r"[-_]{2,}", "-", re.sub(r"[^a-z0-9_]+", "-", stem.lower())).strip("-_")


def _metadata(notebook: Notebook, found: list[Diagnostic]) -> JsonObject:
    if notebook.settings is None:
        return {}
    if not isinstance(notebook.settings, dict):
        message = "The notebook's `agentflow` metadata is no object."
        found.append(problem("AF625", message, hint='Write {"agentflow": {"name": …}}.'))
        return {}
    for key in notebook.settings:
        if key not in KNOWN:
            message = f"The notebook's `agentflow` metadata has an unknown field {key!r}."
            found.append(problem("AF625", message, hint=nearest(key, KNOWN)))
    return {key: value for key, value in notebook.settings.items() if key in KNOWN}


def _at(position: Position | None) -> dict[str, int | None]:
    if position is None:
        return {}
    return {"line": position.line, "column": position.column, "cell": position.cell}
