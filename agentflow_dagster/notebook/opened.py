"""The notebook in which one step of a past run is looked at, changed and run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.notebook.cell_text import config_text, exact_line, node_line
from agentflow_dagster.notebook.node_line import CODE
from agentflow_dagster.notebook.writing import EXTENSION, NewCell, config_order, notebook_text

if TYPE_CHECKING:
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject


def opened_notebook(
    node: str, entry: JsonObject, kinds: Catalogue, *, run_id: str, told: str, setup: str, cell: str
) -> str:
    """The text of an .ipynb file with a step's node, and its inputs to be loaded.

    Args:
        node: The node's name.
        entry: The node as the run's version has it.
        kinds: Every node kind known here.
        run_id: The run.
        told: What is said of the step at the top, as Markdown.
        setup: The Python that the agent's code nodes share.
        cell: The node's cell as its author wrote it; "" where there is none.
    """
    cells = [
        NewCell("about", told, prose=True),
        NewCell("load", f"{EXTENSION}\n%agentflow load {run_id} {node}"),
    ]
    if setup and entry.get("kind") == CODE:
        cells.append(NewCell("setup", setup.rstrip("\n"), ("setup",)))
    source = cell or own_cell(node, entry, kinds)
    cells += [
        NewCell("node", source, order=config_order(entry, kinds)),
        NewCell(
            "promoting",
            "Run the cell above: it shows beside what the run had. `promote` writes it into the "
            "agent's file, `--deploy` makes it live, too.",
            prose=True,
        ),
        NewCell("promote", "%agentflow promote"),
    ]
    return notebook_text(cells)


def own_cell(node: str, entry: JsonObject, kinds: Catalogue) -> str:
    """The text of a node's cell that needs no other cell to be understood."""
    config = cast("JsonObject", entry.get("with", {}))
    if entry.get("kind") == CODE:
        beside = {name: value for name, value in config.items() if name != "code"}
        plain = isinstance(beside.get("outputs", []), list)
        line = node_line(node, entry, beside) if plain else exact_line(node, entry, beside)
        return f"{line}\n{config.get('code', '')}"
    kind = kinds.get(str(entry.get("kind")))
    text = config_text(entry, kind.prose if kind else "")
    if text is None:
        return exact_line(node, entry, config)
    return f"{node_line(node, entry, None)}\n{text}"
