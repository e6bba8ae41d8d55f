"""A notebook as the agent document, with the place of everything in it.

The parameters cell becomes the run's input, setup cells what every node shares, each node cell a
`code.python` node, and the notebook's `agentflow` metadata the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeAlias, cast

from agentflow_dagster.notebook.cells import Notebook, read_notebook
from agentflow_dagster.notebook.names import Binding, CellNames
from agentflow_dagster.notebook.parameters import Parameter, input_schema, read_parameters
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.notebook.reading import ReadCell, read_cell
from agentflow_dagster.notebook.wiring import NodeWiring, wire
from agentflow_dagster.spec.diagnostics import Diagnostic, Position, has_errors, nearest, pointer
from agentflow_dagster.spec.document import API_VERSION

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

_METADATA = ("name", "description", "labels", "icon")
_SPEC = ("triggers", "budget", "config", "env", "secrets", "tests")

Positions: TypeAlias = Mapping[str, Position]


def read_agent(
    source: Path | str, *, file: str
) -> tuple[JsonObject | None, Positions, tuple[Diagnostic, ...]]:
    """Reads a notebook as an agent document.

    Args:
        source: The path of an .ipynb file, or its text.
        file: What diagnostics call the file; its stem names the agent where the metadata does not.

    Returns:
        The document as plain JSON (None where a diagnostic is an error), the place of each JSON
        pointer in the notebook, and what is wrong. What needs no notebook to be seen (fields,
        cycles, types) is left to `spec` and `graph`.

    Raises:
        OSError: the file cannot be read.
    """
    notebook = read_notebook(source)
    found = list(notebook.diagnostics)
    document: JsonObject = {}
    positions: dict[str, Position] = {}
    if notebook.cells or not found:
        document = _document(notebook, PurePath(file).stem, positions, found)
    problems = tuple(replace(d, file=file) for d in sorted(found, key=_place))
    return None if has_errors(problems) else document, positions, problems


def _document(
    notebook: Notebook, stem: str, positions: dict[str, Position], found: list[Diagnostic]
) -> JsonObject:
    """Builds the document; notes the places of its parts and what is wrong on the way."""
    cells = [read_cell(cell) for cell in notebook.cells]
    for read in cells:
        found += read.diagnostics
    cells, parameters = _parameters(cells, positions, found)
    wired, problems = wire(cells)
    found += problems
    found += _node_names(wired)
    settings = _settings(notebook, found)
    defaults = settings.pop("defaults", {})
    if (setup := _setup(cells, positions, found)) and isinstance(defaults, dict):
        defaults["code"] = {"setup": setup}
    spec: JsonObject = {"inputs": input_schema(parameters)}
    if defaults:
        spec["defaults"] = defaults
    spec |= {key: settings[key] for key in _SPEC if key in settings}
    spec["nodes"] = {node.cell.name: _node(node, positions) for node in wired}
    spec["outputs"] = _outputs(wired, positions)
    return {
        "apiVersion": API_VERSION,
        "kind": "Agent",
        "metadata": {"name": _agent_name(stem)}
        | {key: settings[key] for key in _METADATA if key in settings},
        "spec": spec,
    }


def _parameters(
    cells: list[ReadCell], positions: dict[str, Position], found: list[Diagnostic]
) -> tuple[list[ReadCell], list[Parameter]]:
    """The parameters, and the cells with those counted as made that have no default."""
    places = [i for i, read in enumerate(cells) if read.cell.role == "parameters"]
    if not places:
        return cells, []
    first = cells[places[0]]
    for extra in places[1:]:
        message = f"Cell {first.cell.index + 1} is tagged `parameters` already."
        hint = "Keep one: papermill fills in the first alone."
        found.append(problem("AF611", message, cell=cells[extra].cell, hint=hint))
    if first.diagnostics:
        return cells, []
    parameters, problems = read_parameters(first.cell)
    found += problems
    made = {p.name: Binding("value", p.position) for p in parameters}
    for parameter in parameters:
        place = pointer("spec", "inputs", "properties", parameter.name)
        positions[place] = first.cell.place(parameter.position)
    cells = list(cells)
    cells[places[0]] = ReadCell(first.cell, CellNames(defines={**first.names.defines, **made}))
    return cells, parameters


def _setup(cells: list[ReadCell], positions: dict[str, Position], found: list[Diagnostic]) -> str:
    """The text of the setup cells, one after the other."""
    setup = [read.cell for read in cells if read.cell.role == "setup" and not read.diagnostics]
    if not setup:
        return ""
    positions[pointer("spec", "defaults", "code", "setup")] = setup[0].place(Position(1))
    text = "\n".join(cell.source.rstrip("\n") + "\n" for cell in setup)
    try:
        compile(text, "<setup>", "exec", dont_inherit=True)
    except SyntaxError as error:  # each is Python by itself: a late `from __future__`
        found.append(
            problem(
                "AF606",
                f"The setup cells do not work one after the other: {error.msg}.",
                cell=setup[-1],
                hint="Put `from __future__` into the first of them.",
            )
        )
    return text


def _node(node: NodeWiring, positions: dict[str, Position]) -> JsonObject:
    cell, line = node.cell, node.cell.node
    place = ("spec", "nodes", cell.name)
    positions[pointer(*place)] = cell.place(cell.head)
    positions[pointer(*place, "with", "code")] = cell.place(Position(1))
    inputs: JsonObject = {}
    for taken in node.inputs:
        inputs[taken.name] = _reference(taken.producer, taken.name)
        positions[pointer(*place, "with", "inputs", taken.name)] = taken.place
    for index, name in enumerate(node.outputs):
        made = node.read.names.defines[name].position
        positions[pointer(*place, "with", "outputs", index)] = cell.place(made)
    config: JsonObject = {"code": cell.source}
    if inputs:
        config["inputs"] = inputs
    config["outputs"] = cast("list[JsonValue]", list(node.outputs))
    entry: JsonObject = {"kind": "code.python", "with": config}
    if line and line.memory:
        config["memory"] = line.memory
    if line and line.timeout:
        entry["timeout"] = line.timeout
    if line and line.attempts:
        entry["retry"] = {"maxAttempts": line.attempts}
    return entry


def _outputs(wired: list[NodeWiring], positions: dict[str, Position]) -> JsonObject:
    """What the nodes make that nothing else takes from."""
    outputs: JsonObject = {}
    for node in wired:
        for name in node.outputs if node.final else ():
            outputs[name] = _reference(node.cell.name, name)
            made = node.read.names.defines[name].position
            positions[pointer("spec", "outputs", name)] = node.cell.place(made)
    return outputs


def _node_names(wired: list[NodeWiring]) -> list[Diagnostic]:
    """No node, or two of one name."""
    if not wired:
        hint = "Begin a cell with `%%node NAME`."
        return [problem("AF624", "The notebook has no node.", hint=hint)]
    found: list[Diagnostic] = []
    first: dict[str, int] = {}
    for node in wired:
        cell = node.cell
        if (other := first.setdefault(cell.name, cell.index)) != cell.index:
            message = f"Cell {other + 1} is the node {cell.name!r} already."
            hint = "Give this one another name."
            found.append(problem("AF604", message, cell=cell, position=cell.head, hint=hint))
    return found


def _settings(notebook: Notebook, found: list[Diagnostic]) -> JsonObject:
    """The notebook's `agentflow` metadata, fields that no one knows left out."""
    known = (*_METADATA, *_SPEC, "defaults")
    if notebook.settings is None:
        return {}
    if not isinstance(notebook.settings, dict):
        message = "The notebook's `agentflow` metadata is no object."
        found.append(problem("AF625", message, hint='Write {"agentflow": {"name": …}}.'))
        return {}
    for key in notebook.settings:
        if key not in known:
            message = f"The notebook's `agentflow` metadata has an unknown field {key!r}."
            found.append(problem("AF625", message, hint=nearest(key, known)))
    return {key: value for key, value in notebook.settings.items() if key in known}


def _agent_name(stem: str) -> str:
    """The file's name as an agent's: `My Report` is `my-report`."""
    return re.sub(r"[-_]{2,}", "-", re.sub(r"[^a-z0-9_]+", "-", stem.lower())).strip("-_")


def _reference(producer: str | None, name: str) -> str:
    return f"{{{{{producer}.output.{name}}}}}" if producer else f"{{{{input.{name}}}}}"


def _place(diagnostic: Diagnostic) -> tuple[int, int, int]:
    cell = -1 if diagnostic.cell is None else diagnostic.cell
    return cell, diagnostic.line or 0, diagnostic.column or 0
