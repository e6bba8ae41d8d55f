"""Reads an agent's file, whichever view it is, and checks it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import DocumentError, UsageError
from agentflow_dagster.graph.agent_references import check_references
from agentflow_dagster.graph.check import check_agent
from agentflow_dagster.operations.data_sets import row_schemas
from agentflow_dagster.spec.canonical import content_hash, to_json
from agentflow_dagster.spec.diagnostics import Diagnostic, Position, error, has_errors, locate
from agentflow_dagster.spec.forms import AgentSource, as_agent, read_text
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from agentflow_dagster.graph.agent_references import KnownAgents
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.ports.events import EventSource
    from agentflow_dagster.ports.stores import VersionHash
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject

MAX_BYTES = 5_000_000
_CODE = re.compile(r"/spec/nodes/[^/]+/with/code")


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What a file holds.

    Args:
        file: Its name as diagnostics tell it.
        agent, plan: None where an error stands in the way.
        positions: The place of every pointer.
        diagnostics: Every problem, with its place.
        text: What stands in the file; "" where it cannot be read.
    """

    file: str
    agent: Agent | None
    plan: Plan | None
    positions: Mapping[str, Position]
    diagnostics: tuple[Diagnostic, ...]
    text: str = ""

    @property
    def hash(self) -> VersionHash:
        """The version's identity."""
        return cast("VersionHash", content_hash(self._usable()))

    @property
    def document(self) -> JsonObject:
        """The document as it is stored."""
        return to_json(self._usable())

    @property
    def source(self) -> JsonObject:
        """Where the document came from, outside its hash."""
        places = {
            p: {"line": at.line, "column": at.column, "cell": at.cell}
            for p, at in self.positions.items()
            if p.count("/") <= 3 or _CODE.fullmatch(p)
        }
        return cast("JsonObject", {"file": self.file, "positions": places})

    def require(self) -> Plan:
        """The plan.

        Raises:
            DocumentError: the file has errors.
        """
        if self.plan is None:
            raise DocumentError([d for d in self.diagnostics if d.severity == "error"])
        return self.plan

    def _usable(self) -> Agent:
        return self.require().agent


def check_file(
    path: Path,
    kinds: Catalogue,
    *,
    file: str | None = None,
    agents: KnownAgents | None = None,
) -> CheckedFile:
    """Reads and checks one file: `.yaml`, `.yml`, `.json`, `.ipynb`, or `.py` of the builder.

    Args:
        path: The file.
        kinds: Every node kind known here.
        file: What diagnostics call it.
        agents: The agents that it may run; where None, nobody asks whether they exist.

    Raises:
        UsageError: there is no such file, or it may not be read.
    """
    name = file or str(path)
    source = read_file(path, file=name)
    return _checked(source, kinds, file=name, agents=agents, folder=path.resolve().parent)


def check_text(
    text: str, kinds: Catalogue, *, file: str, agents: KnownAgents | None = None
) -> CheckedFile:
    """Checks a text of YAML or JSON, as `check_file` does."""
    return _checked(replace(read_text(text), text=text), kinds, file=file, agents=agents)


def check_text_of(path: Path, text: str, kinds: Catalogue, *, file: str) -> CheckedFile:
    """Checks what a file would say with another text.

    Args:
        path: The file; it is not read.
        text: What would stand in it.
        kinds: Every node kind known here.
        file: What diagnostics call it.
    """
    source = replace(_read_as(path.suffix, text, file), text=text)
    return _checked(source, kinds, file=file, agents=None, folder=path.resolve().parent)


def _checked(
    source: AgentSource,
    kinds: Catalogue,
    *,
    file: str,
    agents: KnownAgents | None,
    folder: Path | None = None,
) -> CheckedFile:
    checked = check_document(
        source.document,
        source.positions,
        source.diagnostics,
        kinds,
        file=file,
        agents=agents,
        origin=source.lowering.origin,
        folder=folder,
    )
    return replace(checked, text=source.text)


def read_file(path: Path, *, file: str) -> AgentSource:
    """What a file says, whichever form it is written in: the one place that reads them.

    Raises:
        UsageError: there is no such file, or it may not be read.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {file!r}.")
    if path.stat().st_size > MAX_BYTES:
        return AgentSource(None, {}, (_too_large(path),))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        told = error("AF109", f"The file is not UTF-8: {problem.reason} at byte {problem.start}.")
        return AgentSource(None, {}, (told,))
    except OSError as problem:
        raise UsageError(f"{file!r} cannot be read: {problem.strerror}.") from None
    return replace(_read_as(path.suffix, text, file), text=text)


def _read_as(suffix: str, text: str, file: str) -> AgentSource:
    if suffix == ".ipynb":
        from agentflow_dagster.nodes import all_kinds
        from agentflow_dagster.notebook import read_agent

        document, positions, found = read_agent(text, file=file, kinds=all_kinds())
        return AgentSource(document, positions, found, document)
    if suffix == ".py":
        from agentflow_dagster.spec.builder_reading import read_python

        return as_agent(read_python(text))
    return read_text(text)


def check_document(
    document: JsonObject | None,
    positions: Mapping[str, Position],
    found: tuple[Diagnostic, ...],
    kinds: Catalogue,
    *,
    file: str,
    agents: KnownAgents | None = None,
    origin: Callable[[str], str] = str,
    folder: Path | None = None,
) -> CheckedFile:
    """Checks a document that was read.

    Args:
        document: What was read.
        positions: The place of every pointer into the file.
        found: The problems of reading it.
        kinds: Every node kind known here.
        file: What diagnostics call it.
        agents: The agents that it may run.
        origin: From a pointer into the document to one into the file.
        folder: The file's, by which the project's data sets are found; None for the current one.
    """
    diagnostics = list(found)
    agent = plan = None
    if document is not None and not has_errors(found):
        parsed = parse_agent(document)
        if isinstance(parsed, tuple):
            diagnostics += _told_of(parsed, origin)
        else:
            agent = parsed
            rows, unread = row_schemas(agent, folder)
            verdict = check_agent(agent, kinds, sources=_sources(agent), rows=rows)
            told = [*verdict.diagnostics, *unread]
            if agents is not None:
                told += check_references(agent, agents)
            plan = None if has_errors(told) else verdict.plan
            diagnostics += _told_of(told, origin)
    placed = tuple(_placed(d, file, positions) for d in diagnostics)
    return CheckedFile(file, agent, plan, positions, placed)


def _told_of(found: Iterable[Diagnostic], origin: Callable[[str], str]) -> list[Diagnostic]:
    """The diagnostics by the pointers of the file; a fix of what the file does not say is none."""
    return [
        replace(one, pointer=place, fix=one.fix if place == one.pointer else None)
        for one in found
        for place in [origin(one.pointer)]
    ]


def _sources(agent: Agent) -> Mapping[str, EventSource] | None:
    """The connectors, loaded only where a trigger names one."""
    if not any(trigger.event for trigger in agent.spec.triggers.values()):
        return None
    from agentflow_dagster.sources import all_sources

    return all_sources()


def _placed(found: Diagnostic, file: str, positions: Mapping[str, Position]) -> Diagnostic:
    known = found.line is not None
    return found.at(file, None if known else locate(positions, found.pointer))


def _too_large(path: Path) -> Diagnostic:
    if path.suffix == ".ipynb":
        return error("AF602", "The notebook is over 5 MB.", hint="Clear its outputs.")
    hint = "Keep data in a file or a store, and read it in a node."
    return error("AF100", "The file is over 5 MB.", hint=hint)
