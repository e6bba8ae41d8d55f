"""A notebook as the agent document, with the place of everything in it.

The parameters cell becomes the run's input, setup cells what every node shares, each node cell a
`code.python` node, and the notebook's `agentflow` metadata the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeAlias, cast

from agentflow_dagster.notebook.cells import Notebook, read_notebook
from agentflow_dagster.notebook.expression_names import mentions, renamed
from agentflow_dagster.notebook.names import Binding, CellNames
from agentflow_dagster.notebook.parameters import Parameter, input_schema, read_parameters
from agentflow_dagster.notebook.passing import cannot_pass
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.notebook.reading import ReadCell, read_cell
from agentflow_dagster.notebook.settings import LAYOUT, METADATA, SPEC, agent_name, read_settings
from agentflow_dagster.notebook.tests_in_cells import read_tests
from agentflow_dagster.notebook.wiring import NodeWiring, wire
from agentflow_dagster.spec.diagnostics import Diagnostic, Position, has_errors, pointer
from agentflow_dagster.spec.document import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Collection

    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject, JsonValue

Positions: TypeAlias = Mapping[str, Position]


def read_agent(
    source: Path | str, *, file: str, kinds: Catalogue | None = None
) -> tuple[JsonObject | None, Positions, tuple[Diagnostic, ...]]:
    """Reads a notebook as an agent document.

    Args:
        source: The path of an .ipynb file, or its text.
        file: What diagnostics call the file; its stem names the agent where the metadata does not.
        kinds: Every node kind known here; without them the cells of other kinds than code are not
            understood, and are as good as empty.

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
        document = _document(notebook, PurePath(file).stem, kinds, positions, found)
    problems = tuple(replace(d, file=file) for d in sorted(found, key=_place))
    return None if has_errors(problems) else document, positions, problems


def _document(
    notebook: Notebook,
    stem: str,
    kinds: Catalogue | None,
    positions: dict[str, Position],
    found: list[Diagnostic],
) -> JsonObject:
    """Builds the document; notes the places of its parts and what is wrong on the way."""
    nodes = {cell.name for cell in notebook.cells if cell.node}
    cells = [read_cell(cell, kinds, nodes) for cell in notebook.cells]
    for read in cells:
        found += read.diagnostics
    cells, parameters = _parameters(cells, positions, found)
    told = read_settings(notebook)
    found += told.diagnostics
    settings = dict(told.values)
    outputs = settings.get("outputs")
    wired, problems = wire(
        cells,
        None if outputs is None else mentions(outputs, nodes, kinds or {}),
        seen=notebook.seen,
    )
    found += problems
    found += cannot_pass(wired, cells)
    found += _node_names(wired)
    spec: JsonObject = {"inputs": settings.get("inputs", input_schema(parameters))}
    setup = _setup(cells, positions, found)
    if setup or "defaults" in settings:
        spec["defaults"] = _defaults(settings.pop("defaults", {}), setup)
    spec |= {key: settings[key] for key in SPEC if key in settings}
    spec["nodes"] = {node.cell.name: _node(node, nodes, kinds or {}, positions) for node in wired}
    if outputs is None:
        spec["outputs"] = _outputs(wired, kinds or {}, positions)
    positions.update(told.positions)
    said = cast("JsonObject", settings.get("tests") or {})
    tested = read_tests(notebook.cells, [p.name for p in parameters], wired, said)
    found += tested.diagnostics
    positions.update(tested.positions)
    if tested.tests:
        spec["tests"] = {**tested.tests, **said}
    document: JsonObject = {
        "apiVersion": API_VERSION,
        "kind": "Agent",
        "metadata": {"name": agent_name(stem)}
        | {key: settings[key] for key in METADATA if key in settings},
        "spec": spec,
    }
    if LAYOUT in settings:
        document[LAYOUT] = settings[LAYOUT]
    return document


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


def _defaults(said: JsonValue, setup: str) -> JsonValue:
    """The agent's defaults, with what the setup cells say."""
    if not setup or not isinstance(said, dict):
        return said
    code: JsonObject = {"setup": setup}
    return {**said, "code": code}


def _node(
    node: NodeWiring, nodes: Collection[str], kinds: Catalogue, positions: dict[str, Position]
) -> JsonObject:
    """One node, with what other cells tell of it; its variables as the document writes them."""
    cell = node.cell
    place = ("spec", "nodes", cell.name)
    positions[pointer(*place)] = cell.place(cell.head)
    for where, position in node.read.positions.items():
        positions[pointer(*place) + where] = cell.place(position)
    meant = {one.name: one.reference for one in node.inputs}
    entry = cast("JsonObject", renamed(node.read.entry, nodes, kinds, meant))
    if cell.node and cell.node.is_code:
        entry["with"] = _code(node, cast("JsonObject", entry.get("with", {})), place, positions)
    config = cast("JsonObject", entry.get("with", {}))
    known = [name for name in cell.order if name in config]
    entry["with"] = {name: config[name] for name in dict.fromkeys([*known, *config])}
    return entry


def _code(
    node: NodeWiring, said: JsonObject, place: tuple[str, ...], positions: dict[str, Position]
) -> JsonObject:
    """The config of a node of code: what its line says, and beside it what its text tells."""
    cell = node.cell
    positions[pointer(*place, "with", "code")] = cell.place(Position(1))
    if cell.node and cell.node.is_exact:
        return {"code": cell.source, **said}
    inputs: JsonObject = {}
    for taken in node.inputs:
        if taken.by_code:
            inputs[taken.name] = f"{{{{{taken.reference}}}}}"
            positions[pointer(*place, "with", "inputs", taken.name)] = taken.place
    inputs |= cast("JsonObject", said.get("inputs", {}))
    for index, name in enumerate(node.outputs):
        made = node.read.names.defines[name].position
        positions[pointer(*place, "with", "outputs", index)] = cell.place(made)
    config: JsonObject = {"code": cell.source}
    if inputs:
        config["inputs"] = inputs
    config["outputs"] = list(node.outputs)
    return {**config, **{key: value for key, value in said.items() if key != "inputs"}}


def _outputs(
    wired: list[NodeWiring], kinds: Catalogue, positions: dict[str, Position]
) -> JsonObject:
    """What the nodes make that nothing else takes from."""
    outputs: JsonObject = {}
    for node in wired:
        cell = node.cell
        if not node.final or cell.node is None:
            continue
        if cell.node.is_code:
            given = {name: f"{{{{{cell.name}.output.{name}}}}}" for name in node.outputs}
        else:  # one that only chooses a way, or asks a person, gives nothing by itself
            kind = kinds.get(cell.node.kind)
            given = {cell.name: f"{{{{{cell.name}.output}}}}"} if kind and kind.asset else {}
        for name, reference in given.items():
            outputs[name] = reference
            made = node.read.names.defines[name].position
            positions[pointer("spec", "outputs", name)] = cell.place(made)
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


def _place(diagnostic: Diagnostic) -> tuple[int, int, int]:
    cell = -1 if diagnostic.cell is None else diagnostic.cell
    return cell, diagnostic.line or 0, diagnostic.column or 0
