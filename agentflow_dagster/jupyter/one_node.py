"""Runs one node of any kind in a notebook, by the engine that runs it in production.

The node becomes an agent of its own: what it reads of the notebook is that agent's input, and the
nodes that it reads of or comes after have run already. Nothing else has to be up.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from agentflow_dagster.engine.graph_run import run_graph
from agentflow_dagster.engine.step import Attempt
from agentflow_dagster.errors import DocumentError, UsageError
from agentflow_dagster.graph import templates
from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.jupyter.asking import AskedHere
from agentflow_dagster.jupyter.beside import Beside
from agentflow_dagster.jupyter.session import OF_THE_AGENT, left_by
from agentflow_dagster.jupyter.streamed import Streamed
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.notebook import NotebookCell
from agentflow_dagster.notebook.expression_names import renamed
from agentflow_dagster.notebook.reading import read_cell
from agentflow_dagster.ports.journal import MemoryJournal
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.spec.diagnostics import nearest
from agentflow_dagster.spec.document import API_VERSION
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.values import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.engine.step import Services
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.jupyter.session import NodeRun, Session
    from agentflow_dagster.notebook import NodeLine
    from agentflow_dagster.notebook.reading import ReadCell
    from agentflow_dagster.ports.model import Usage
    from agentflow_dagster.spec.kind import Catalogue, RawConfig
    from agentflow_dagster.spec.values import JsonObject, JsonValue, Value

_MADE = "notebook.made"
_INPUT = "input"


@dataclass(frozen=True, slots=True)
class Done:
    """How a node ended.

    Args:
        port: The port that it left by; None where it was skipped.
        output: What it gave.
        usage: One entry per model call.
        seconds: How long it worked.
    """

    port: str | None
    output: Value
    usage: tuple[Usage, ...]
    seconds: float


class _MadeConfig(KindConfig):
    ports: tuple[str, ...]
    values: dict[str, Any] = Field(default_factory=dict[str, Any])


class _Made(Kind[_MadeConfig]):
    """Stands for a node that has run in the notebook: it may have given anything."""

    name = _MADE
    summary = "Has run in the notebook."
    config = _MadeConfig

    def ports(self, config: RawConfig) -> tuple[str, ...]:
        return tuple(cast("list[str]", config["ports"]))

    async def run(self, context: NodeContext, config: _MadeConfig) -> NodeResult:
        return NodeResult(config.values)


def read_node(line: NodeLine, source: str, session: Session) -> ReadCell:
    """What a node's cell says.

    Raises:
        UsageError: it cannot be read.
    """
    kinds = all_kinds()
    if line.kind not in kinds:
        raise UsageError(f"There is no kind {line.kind!r}.", hint=nearest(line.kind, kinds))
    cell = NotebookCell(-1, "", "node", source, first_line=2, node=line)
    read = read_cell(cell, kinds, {*session.nodes, line.name})
    for one in read.diagnostics:
        if one.severity == "error":
            raise UsageError(f"Line {one.line}: {one.message}", hint=one.hint)
    return read


def run_node(read: ReadCell, session: Session, services: Services) -> Done:
    """Runs a node that is no code, to its end. Interrupted, it stops the node.

    Raises:
        UsageError: it reads what has not been made, or its config cannot be used.
        RunError: it failed.
    """
    entry = {name: value for name, value in read.entry.items() if name != "onError"}
    return _run(read, entry, session, services)


def given_to_code(
    read: ReadCell, session: Session, services: Callable[[], Services]
) -> Mapping[str, object] | None:
    """What a node's line gives its code, by name; None where the line says that it is skipped.

    Args:
        read: The node's cell.
        session: What has run here.
        services: Makes the adapters, where any are needed.

    Raises:
        UsageError: as `run_node`.
    """
    with_ = cast("JsonObject", read.entry["with"])
    inputs = cast("JsonObject", with_.get("inputs", {}))
    conditions = {n: v for n, v in read.entry.items() if n in {"after", "when", "join"}}
    if not conditions and not inputs:
        return {}
    config: JsonObject = {"ports": ["result"], "values": inputs}
    done = _run(read, {**conditions, "kind": _MADE, "with": config}, session, services())
    return None if done.port is None else cast("dict[str, object]", unpack(done.output))


def names_in_expressions(read: ReadCell) -> set[str]:
    """The notebook's names that a node's expressions read, as variables or as the run's input."""
    roots = templates.roots(templates.find(cast("JsonValue", read.entry), ()))
    of_input = {found.path[0] for found in roots.get(_INPUT, []) if found.path}
    return of_input | {m.name for m in read.mentions if m.is_variable}


def ports_of(read: ReadCell) -> tuple[str, ...]:
    """The ports by which a node may leave."""
    line = read.cell.node
    kind = None if line is None else all_kinds().get(line.kind)
    return kind.ports(cast("JsonObject", read.entry.get("with", {}))) if kind else ("result",)


def nodes_before(read: ReadCell) -> set[str]:
    """The nodes that a cell comes after or reads of by name."""
    after = cast("list[str]", read.entry.get("after", []))
    with_ = cast("JsonObject", read.entry.get("with", {}))
    named = with_.get("from")
    froms = [str(n) for n in named] if isinstance(named, list) else []
    return {
        *(port.partition(".")[0] for port in after),
        *(m.name for m in read.mentions if not m.is_variable),
        *froms,
    }


def _run(read: ReadCell, entry: JsonObject, session: Session, services: Services) -> Done:
    line = read.cell.node
    assert line is not None
    services = replace(services, kinds={**services.kinds, _MADE: cast("Kind[KindConfig]", _Made())})
    given = _given(read, session)
    before = nodes_before(read) - {line.name}
    for name in sorted(before - session.nodes.keys()):
        message = f"{line.name!r} comes after {name!r}, which has not run here."
        raise UsageError(message, hint=f"Run the cell of {name!r} first.")
    meant = {name: f"{_INPUT}.{name}" for name in given}
    entry = cast("JsonObject", renamed(entry, {*session.nodes, line.name}, services.kinds, meant))
    nodes: JsonObject = {node: _made(session.nodes[node], entry) for node in sorted(before)}
    plan = _plan({**nodes, line.name: entry}, given, session.settings, services.kinds)
    runs = [session.nodes[node] for node in before]
    journal = MemoryJournal(
        {
            run.line.name: StepOutput(run.port, left_by(run, session.namespace), {})
            for run in runs
            if run.port is not None
        }
    )
    beside = Beside()
    begin = Attempt.first(plan, cast("JsonObject", given), run_id=_run_id(), journal=journal)
    streamed = Streamed()
    begin = replace(begin, waits=AskedHere(beside), hear=streamed.hear)
    started = time.perf_counter()
    try:
        work = run_graph(plan, plan.steps, begin, services)
        done = beside.run(work, each_turn=streamed.show)
    finally:
        streamed.end()
    seconds = time.perf_counter() - started
    for failure in done.failures.values():
        raise failure
    left = done.outputs.get(line.name)
    if left is None:
        return Done(None, None, done.usage, seconds)
    return Done(left.port, left.value, done.usage, seconds)


def _given(read: ReadCell, session: Session) -> dict[str, Value]:
    """What the node's expressions read of the notebook, ready to pass.

    Raises:
        UsageError: a name has no value.
        ValueNotStorable: a value cannot pass between nodes.
    """
    wanted = names_in_expressions(read)
    for name in sorted(wanted - session.namespace.keys()):
        message = f"{read.cell.title} reads {name!r}, which has no value here."
        raise UsageError(message, hint="Run the cell that makes it first.")
    return cast("dict[str, Value]", pack({name: session.namespace[name] for name in wanted}))


def _run_id() -> str:
    """A new one each time a cell runs: what it may spend begins anew."""
    return f"notebook-{uuid.uuid4().hex[:16]}"


def _plan(
    nodes: JsonObject, given: Mapping[str, Value], settings: JsonObject, kinds: Catalogue
) -> Plan:
    """The agent that a node is run as."""
    spec: JsonObject = {
        "inputs": {"type": "object", "properties": {one: {} for one in given}},
        **{key: settings[key] for key in OF_THE_AGENT if key in settings},
        "nodes": nodes,
    }
    defaults = settings.get("defaults")
    if isinstance(defaults, dict):
        spec["defaults"] = {key: value for key, value in defaults.items() if key != "code"}
    document: JsonObject = {
        "apiVersion": API_VERSION,
        "kind": "Agent",
        "metadata": {"name": settings.get("name", "notebook")},
        "spec": spec,
    }
    try:
        return plan_of(document, kinds)
    except DocumentError as problem:
        first = problem.diagnostics[0]
        raise UsageError(first.message, hint=first.hint) from None


def _made(run: NodeRun, reader: JsonObject) -> JsonObject:
    """A node that has run, as one that the reader may come after, by whichever port it says."""
    after = [port.partition(".") for port in cast("list[str]", reader.get("after", []))]
    ports = {port for node, _, port in after if port and node == run.line.name}
    known: list[JsonValue] = [*sorted({*ports, *run.ports})]
    made: JsonObject = {"kind": _MADE, "with": {"ports": known}}
    return made if run.port is not None else {**made, "when": "{{false}}"}
