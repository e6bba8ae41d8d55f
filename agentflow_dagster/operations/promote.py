"""Writes one node of an agent back into the file that the agent was deployed from."""

from __future__ import annotations

import difflib
import os
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import DocumentError, UsageError
from agentflow_dagster.notebook import read_agent
from agentflow_dagster.notebook.cells import cell_source
from agentflow_dagster.notebook.updating import with_node_cell
from agentflow_dagster.operations.check import check_text_of, read_file
from agentflow_dagster.spec.canonical import is_same, to_json
from agentflow_dagster.spec.diagnostics import has_errors
from agentflow_dagster.spec.parse import parse_agent
from agentflow_dagster.spec.yaml_writer import update_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.stores import Version
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject, JsonValue

_WITHIN = ("spec", "nodes", "")


@dataclass(frozen=True, slots=True)
class Promoted:
    """What was written.

    Args:
        path: The file.
        diff: What changed in it, as a unified diff; "" where it said so already.
        document: What it says now.
    """

    path: Path
    diff: str
    document: JsonObject


def source_file(project: Project, version: Version) -> Path:
    """The file that a version was deployed from.

    Raises:
        UsageError: it is not there any more.
    """
    name = str(version.source.get("file") or "")
    path = (project.root / name).resolve()
    if not name or not path.is_file():
        raise UsageError(
            f"{name or 'The file'!r}, which {version.agent!r} was deployed from, is not here.",
            hint="Promote where the agent's file is, or write the change into it by hand.",
        )
    if not path.is_relative_to(project.root.resolve()):
        raise UsageError(f"{name!r} lies outside the project.")
    return path


def node_cell(project: Project, kinds: Catalogue, version: Version, node: str) -> str | None:
    """The text of a node's cell in the notebook that a version was deployed from; None where it
    was no notebook, or the cell says something else by now."""
    try:
        path = source_file(project, version)
    except UsageError:
        return None
    if path.suffix != ".ipynb":
        return None
    text = path.read_text(encoding="utf-8")
    document = read_agent(text, file=path.name, kinds=kinds)[0]
    if document is None or not is_same(
        _node(document, node), _node(version.document, node), _WITHIN
    ):
        return None
    return cell_source(text, node)


def promote(
    project: Project,
    kinds: Catalogue,
    version: Version,
    node: str,
    *,
    entry: JsonObject,
    cell: str,
    base: JsonObject | None = None,
    force: bool = False,
) -> Promoted:
    """Writes a node into its agent's file: into its cell, or its place in the YAML.

    Args:
        project: Where the file is.
        kinds: Every node kind known here.
        version: What the node was taken from.
        node: Its name.
        entry: The node as a document has it.
        cell: The node as a notebook's cell has it.
        base: What the file is taken to say of the node; None takes what the version says.
        force: Whether it overwrites what was changed in the file since.

    Raises:
        UsageError: the file is not here, or cannot be written, or the node was changed in it.
        DocumentError: the agent would have errors.
    """
    path = source_file(project, version)
    name = project.relative(path)
    source = read_file(path, file=name)
    if source.written is None or has_errors(source.diagnostics):
        raise DocumentError([d for d in source.diagnostics if d.severity == "error"])
    before = _node(source.written, node)
    if before is None:
        raise UsageError(f"{name} has no node {node!r}.", hint="It may have got another name.")
    if not force and not is_same(before, _node(base or version.document, node), _WITHIN):
        message = f"{node!r} was changed in {name} since v{version.number}, which the run ran."
        raise UsageError(message, hint="Look at it; --force overwrites it.")
    if path.suffix == ".ipynb":
        after = with_node_cell(source.text, node, cell)
    elif path.suffix in {".yaml", ".yml", ".json"}:
        document = deepcopy(source.written)
        cast("JsonObject", cast("JsonObject", document["spec"])["nodes"])[node] = entry
        after = update_yaml(source.text, document)
    else:
        raise UsageError(
            f"{name} is Python, which is not edited in place.",
            hint=f"agentflow convert {name} {path.with_suffix('').stem}.agent.yaml makes it YAML.",
        )
    checked = check_text_of(path, after, kinds, file=name)
    checked.require()
    if after != source.text:
        _write(path, after)
    return Promoted(path, _diff(path, node, source.text, after), checked.document)


def _diff(path: Path, node: str, before: str, after: str) -> str:
    """What changed: of a notebook in the node's cell, else in the file."""
    if path.suffix == ".ipynb":
        before, after = (cell_source(text, node) or "" for text in (before, after))
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def _node(document: JsonObject, name: str) -> JsonValue:
    """A node as versions have it; None where the document has none of that name."""
    agent = parse_agent(document)
    if isinstance(agent, tuple):
        return None
    spec = cast("JsonObject", to_json(agent)["spec"])
    return cast("JsonObject", spec["nodes"]).get(name)


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.chmod(path.stat().st_mode)
        beside.replace(path)
    except OSError as problem:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{path.name} cannot be written: {problem.strerror}.") from None
