"""An agent's document as a notebook: the view that `document` reads back as the same.

What the cells' texts tell (who reads what from whom, what comes out) is not written down; where
they would tell something else, the cell's first line says it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import DocumentError
from agentflow_dagster.graph import templates
from agentflow_dagster.notebook.cell_text import (
    agent_text,
    config_text,
    exact_line,
    given_beside,
    node_line,
    parameters_text,
)
from agentflow_dagster.notebook.document import read_agent
from agentflow_dagster.notebook.node_line import CODE
from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.notebook.settings import METADATA, SPEC
from agentflow_dagster.spec.canonical import is_same

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject, JsonValue

EXTENSION = "%load_ext agentflow_dagster"
_IDS = frozenset({"title", "agentflow", "agent", "parameters", "setup"})
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class NewCell:
    """A cell to be written.

    Args:
        id: Its id in the file.
        source: Its text.
        tags: Its tags.
        prose: Whether it is Markdown.
        order: The order of the config's fields, where it is not the cell's own.
    """

    id: str
    source: str
    tags: tuple[str, ...] = ()
    prose: bool = False
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plain:
    """How much of an agent is left to what its cells tell.

    Args:
        exact: Nodes whose config stands in their line.
        given: What the lines of other nodes of code say.
        inputs, outputs, setup: Whether the cells tell them.
    """

    exact: frozenset[str] = frozenset()
    given: Mapping[str, JsonObject] = field(default_factory=dict[str, "JsonObject"])
    inputs: bool = True
    outputs: bool = True
    setup: bool = True


def write_notebook(document: JsonObject, kinds: Catalogue) -> str:
    """The text of an .ipynb file that says the document.

    Args:
        document: An agent that is sound.
        kinds: Every node kind known here.

    Raises:
        DocumentError: a notebook cannot say it: code that is not Python, for one.
    """
    return notebook_text(notebook_cells(document, kinds))


def notebook_cells(document: JsonObject, kinds: Catalogue) -> list[NewCell]:
    """The cells of a notebook that says the document.

    Raises:
        DocumentError: as `write_notebook`.
    """
    plain, last = (
        _Plain(),
        _Plain(frozenset(nodes_of(document)), inputs=False, outputs=False, setup=False),
    )
    for _ in range(_ROUNDS):
        cells = _cells(document, kinds, plain)
        told, found = _read(cells, kinds)
        if told is not None and is_same(said(told), said(document)):
            return cells
        if told is None:
            at_fault = {cells[one.cell].id for one in found if one.cell is not None}
            after = _without_faults(document, at_fault, plain)
        else:
            after = _less_plain(document, told, plain)
        plain = last if after == plain else after
    cells = _cells(document, kinds, last)
    told, found = _read(cells, kinds)
    if told is None or not is_same(said(told), said(document)):
        raise DocumentError(found or [problem("AF628", "A notebook cannot say this agent.")])
    return cells


def notebook_text(cells: Iterable[NewCell], metadata: JsonObject | None = None) -> str:
    """The text of an .ipynb file of format 4.5 with these cells, as nbformat writes it."""
    kernel: JsonObject = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document: JsonObject = {
        "cells": [cell_json(cell) for cell in cells],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}, **(metadata or {})},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def cell_json(cell: NewCell) -> JsonObject:
    """A cell as it stands in a file."""
    metadata: JsonObject = {"tags": list(cell.tags)} if cell.tags else {}
    if cell.order:
        own: JsonObject = {"order": list(cell.order)}
        metadata["agentflow"] = own
    lines: list[JsonValue] = list(cell.source.splitlines(keepends=True))
    if cell.prose:
        return {"cell_type": "markdown", "id": cell.id, "metadata": metadata, "source": lines}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell.id,
        "metadata": metadata,
        "outputs": [],
        "source": lines,
    }


def node_source(name: str, node: JsonObject, kinds: Catalogue, *, before: str = "") -> str:
    """The text of a node's cell by itself, where no other cell tells anything of it.

    Args:
        name: The node.
        node: It, as the document has it.
        kinds: Every node kind known here.
        before: The text that the cell has had below its first line.
    """
    return _source(name, node, kinds, _Plain(frozenset({name})), before)


def _cells(document: JsonObject, kinds: Catalogue, plain: _Plain) -> list[NewCell]:
    metadata, spec = (cast("JsonObject", document[part]) for part in ("metadata", "spec"))
    cells = [NewCell("agentflow", EXTENSION)]
    title = f"# {metadata.get('name', '')}"
    if isinstance(told := metadata.get("description"), str) and told:
        title += f"\n\n{told}"
    cells.insert(0, NewCell("title", title, prose=True))
    cells.append(NewCell("agent", agent_text(_settings(document, plain))))
    if text := parameters_text(cast("JsonObject", spec.get("inputs", {}))):
        cells.append(NewCell("parameters", text, ("parameters",)))
    if plain.setup and (setup := _setup(spec)):
        cells.append(NewCell("setup", setup.rstrip("\n"), ("setup",)))
    nodes = nodes_of(document)
    for name in _order(nodes, kinds):
        source = _source(name, nodes[name], kinds, plain)
        cells.append(NewCell(cell_id(name), source, order=config_order(nodes[name], kinds)))
    return cells


def _source(name: str, node: JsonObject, kinds: Catalogue, plain: _Plain, before: str = "") -> str:
    config = cast("JsonObject", node.get("with", {}))
    if node.get("kind") == CODE:
        beside = {key: value for key, value in config.items() if key != "code"}
        line = node_line(name, node, plain.given.get(name))
        if name in plain.exact:
            line = exact_line(name, node, beside)
        return f"{line}\n{config.get('code', '')}"
    kind = kinds.get(str(node.get("kind")))
    text = config_text(node, kind.prose if kind else "", before)
    if text is None:
        return exact_line(name, node, config)
    line = node_line(name, node, None)
    return f"{line}\n{text}" if text or (kind and kind.prose) else line


def cell_id(name: str) -> str:
    """The id of a node's cell; those of the other cells are taken."""
    return name if name not in _IDS else f"node-{name}"


def config_order(node: JsonObject, kinds: Catalogue) -> tuple[str, ...]:
    """The order of a config's fields, where a cell's text would give them in another."""
    names = list(cast("JsonObject", node.get("with", {})))
    kind = kinds.get(str(node.get("kind")))
    first = (
        ["code", "inputs", "outputs"] if node.get("kind") == CODE else [kind.prose if kind else ""]
    )
    own = [*(name for name in first if name in names), *(n for n in names if n not in first)]
    return () if own == names else tuple(names)


def _settings(document: JsonObject, plain: _Plain) -> JsonObject:
    """What stands in the cell of the agent as a whole."""
    metadata, spec = (cast("JsonObject", document[part]) for part in ("metadata", "spec"))
    settings: JsonObject = {key: metadata[key] for key in METADATA if key in metadata}
    settings |= {key: spec[key] for key in SPEC if key in spec}
    if plain.inputs:
        settings.pop("inputs", None)
    elif "inputs" not in settings:
        settings["inputs"] = {"type": "object", "properties": {}}
    if plain.outputs:
        settings.pop("outputs", None)
    elif "outputs" not in settings:
        settings["outputs"] = {}
    defaults = settings.get("defaults")
    if plain.setup and isinstance(defaults, dict) and "code" in defaults and _setup(spec):
        rest = {key: value for key, value in defaults.items() if key != "code"}
        settings.pop("defaults")
        if rest:
            settings["defaults"] = rest
    if "layout" in document:
        settings["layout"] = document["layout"]
    return settings


def _without_faults(document: JsonObject, cells: Collection[str], plain: _Plain) -> _Plain:
    """What has to be said where cells cannot be read: of code what it is given, at first."""
    exact, given = set(plain.exact), dict(plain.given)
    for name, node in nodes_of(document).items():
        if cell_id(name) not in cells:
            continue
        inputs = cast("JsonObject", node.get("with", {})).get("inputs")
        if node.get("kind") == CODE and inputs and name not in given:
            given[name] = {"inputs": inputs}
        else:
            exact.add(name)
    given = {name: one for name, one in given.items() if name not in exact}
    return replace(plain, exact=frozenset(exact), given=given)


def _less_plain(document: JsonObject, told: JsonObject, plain: _Plain) -> _Plain:
    """What has to be said beside what the cells told."""
    spec, wanted = (cast("JsonObject", said(one)["spec"]) for one in (told, document))
    exact, given = set(plain.exact), dict(plain.given)
    for name, node in cast("dict[str, JsonObject]", wanted["nodes"]).items():
        found = cast("dict[str, JsonObject]", spec["nodes"]).get(name, {})
        if is_same(found, node) or node.get("kind") != CODE:
            continue
        with_ = cast("JsonObject", node["with"])
        beside = given_beside(with_, cast("JsonObject", found.get("with", {})))
        if beside is None or {**given.get(name, {}), **beside} == given.get(name):
            exact.add(name)
        else:
            given[name] = {**given.get(name, {}), **beside}
    return _Plain(
        frozenset(exact),
        {name: one for name, one in given.items() if name not in exact},
        inputs=plain.inputs and is_same(spec["inputs"], wanted["inputs"]),
        outputs=plain.outputs and is_same(spec["outputs"], wanted["outputs"]),
        setup=plain.setup and _setup(spec) == _setup(wanted),
    )


def said(document: JsonObject) -> JsonObject:
    """A document with what it leaves out, as far as a notebook's reading always says it."""
    spec = cast("JsonObject", document["spec"])
    nodes = {
        name: {**node, "with": node.get("with", {})} for name, node in nodes_of(document).items()
    }
    return {
        **document,
        "spec": {
            "inputs": {"type": "object", "properties": {}},
            "outputs": {},
            **spec,
            "nodes": cast("JsonObject", nodes),
        },
    }


def _read(cells: list[NewCell], kinds: Catalogue) -> tuple[JsonObject | None, list[Diagnostic]]:
    document, _, found = read_agent(notebook_text(cells), file="notebook.ipynb", kinds=kinds)
    return document, [one for one in found if one.severity == "error"]


def _setup(spec: JsonObject) -> str:
    defaults = spec.get("defaults")
    code = defaults.get("code") if isinstance(defaults, dict) else None
    setup = code.get("setup") if isinstance(code, dict) else None
    return setup if isinstance(setup, str) else ""


def nodes_of(document: JsonObject) -> dict[str, JsonObject]:
    """The nodes of a document, by name."""
    return cast("dict[str, JsonObject]", cast("JsonObject", document["spec"])["nodes"])


def _order(nodes: Mapping[str, JsonObject], kinds: Catalogue) -> list[str]:
    """The nodes so that each stands below what it comes after, as a notebook is run."""
    before: dict[str, list[str]] = {}
    for name, node in nodes.items():
        roots = templates.roots(templates.find(cast("JsonValue", node), ()))
        after = [str(p).partition(".")[0] for p in cast("list[object]", node.get("after", ()))]
        kind = kinds.get(str(node.get("kind")))
        named = kind.reads(cast("JsonObject", node.get("with", {}))) if kind else ()
        before[name] = [n for n in nodes if n != name and (n in roots or n in after or n in named)]
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError:
        return list(nodes)
