"""The magics `%%node` and `%agentflow`."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from IPython import display
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from agentflow_dagster.errors import AgentFlowError, UsageError
from agentflow_dagster.jupyter import commands
from agentflow_dagster.jupyter.body import namespace_of, run_body, told_briefly
from agentflow_dagster.jupyter.here import services_here
from agentflow_dagster.jupyter.session import NodeRun, Session
from agentflow_dagster.jupyter.summary import is_data, public_values, summarize
from agentflow_dagster.jupyter.traced import what_was_seen
from agentflow_dagster.notebook import describe_node_line, parse_node_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from agentflow_dagster.engine.step import Services
    from agentflow_dagster.jupyter.summary import NodeSummary
    from agentflow_dagster.notebook.reading import ReadCell
    from agentflow_dagster.spec.values import JsonObject, Value


@dataclass(frozen=True, slots=True)
class _Running:
    """A node whose body is a cell's own text, while it runs.

    Args:
        read, begun: The node.
        before: What names referred to when it began.
        started: When that was, by `perf_counter`.
    """

    read: ReadCell
    begun: NodeRun
    before: Mapping[str, object]
    started: float


@magics_class
class AgentFlowMagics(Magics):
    """The magics of one shell.

    They keep what its nodes have come to, and what the notebook shows of each.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._shell = shell
        self.session = Session(namespace_of(shell))
        self._read: dict[str, ReadCell] = {}
        self._shown: dict[str, NodeSummary] = {}
        self._running: _Running | None = None

    @no_var_expand
    @line_cell_magic
    def node(self, line: str, cell: str | None = None) -> None:
        """Runs the cell here, as always, and makes it a node of the agent.

            %%node NAME [--kind KIND] [--timeout 30s] [--retry 3] …

        `%node --help` says what the options mean.
        """
        if cell is None or "--help" in shlex.split(line, comments=True):
            sys.stdout.write(describe_node_line())
            return
        try:
            read = self._understand(line, cell)
            is_code = read.cell.node is not None and read.cell.node.is_code
            run = self._code(read) if is_code else self._kind(read)
            run = replace(run, cell=_whole(line, cell))
        except AgentFlowError as problem:
            raise told_briefly(problem) from None
        self._read[run.line.name] = read
        self._display(self.session.add(run))

    @no_var_expand
    @line_magic
    def node_begins(self, told: str) -> None:
        """What `%%node` becomes where ipyflow is to see the cell's body: `traced.py`."""
        from agentflow_dagster.jupyter.one_node import given_to_code

        line, source = cast("tuple[str, str]", json.loads(told))
        try:
            read = self._understand(line, source)
            given = given_to_code(read, self.session, lambda: self._services)
        except AgentFlowError as problem:
            raise told_briefly(problem) from None
        begun = replace(self._begun(read), cell=_whole(line, source))
        namespace = namespace_of(self._shell)
        namespace.update(given or {})
        self._running = _Running(read, begun, dict(namespace), perf_counter())

    def _end(self, result: object) -> None:
        """The body that `node_begins` began has run."""
        running, self._running = self._running, None
        if running is None or not getattr(result, "success", False):
            return
        seconds = perf_counter() - running.started
        namespace = namespace_of(self._shell)
        read, name = running.read, running.begun.line.name
        self._read[name] = read
        makes = public_values(read.names, namespace)
        run = self.session.add(replace(running.begun, seconds=seconds, makes=makes))
        before = running.before
        made = [n for n, value in namespace.items() if n[0] != "_" and value is not before.get(n)]
        self._display(run, took=what_was_seen(made))

    def _understand(self, line: str, source: str) -> ReadCell:
        """What a node's cell says.

        Raises:
            UsageError: it cannot be read.
        """
        from agentflow_dagster.jupyter.one_node import read_node

        try:
            options = parse_node_line(line)
        except ValueError as error:
            hint = "%node --help shows how."
            raise UsageError(f"%%node {line}: {error}.", hint=hint) from None
        return read_node(options, source, self.session)

    @line_cell_magic
    def agentflow(self, line: str, cell: str | None = None) -> object:
        """Checks, runs, deploys and looks at the agent that this notebook is.

        `%agentflow help` lists what there is.
        """
        try:
            return commands.carry_out(line, cell, self.session)
        except AgentFlowError as problem:
            raise told_briefly(problem) from None

    @cached_property
    def _services(self) -> Services:
        return services_here()

    def _code(self, read: ReadCell) -> NodeRun:
        """Runs a node of code in the notebook's namespace, if its line lets it."""
        from agentflow_dagster.jupyter.one_node import given_to_code

        given = given_to_code(read, self.session, lambda: self._services)
        begun = self._begun(read)
        if given is None:
            return replace(begun, makes=(), port=None)
        namespace = namespace_of(self._shell)
        namespace.update(given)
        started = perf_counter()
        run_body(self._shell, read.cell.source)
        seconds = perf_counter() - started
        return replace(begun, seconds=seconds, makes=public_values(read.names, namespace))

    def _kind(self, read: ReadCell) -> NodeRun:
        """Runs a node of any other kind; its name is what it gave."""
        from agentflow_dagster.jupyter.one_node import ports_of, run_node
        from agentflow_dagster.spec.values import unpack

        begun = self._begun(read)
        done = run_node(read, self.session, self._services)
        namespace, name = namespace_of(self._shell), begun.line.name
        gives = done.port is not None and done.output is not None
        if gives:
            namespace[name] = unpack(done.output)
        return replace(
            begun,
            makes=(name,) if gives else (),
            ports=ports_of(read),
            port=done.port,
            output=done.output,
            usage=done.usage,
            seconds=done.seconds,
        )

    def _begun(self, read: ReadCell) -> NodeRun:
        """What a run takes, before it has done anything."""
        from agentflow_dagster.jupyter.one_node import names_in_expressions, nodes_before

        line = read.cell.node
        assert line is not None
        names = [*read.names.reads, *sorted(names_in_expressions(read))]
        taken = {name: self.session.take(name) for name in names}
        before = sorted(nodes_before(read) & self.session.nodes.keys() - {line.name})
        return NodeRun(
            line=line,
            source=read.cell.source,
            cell="",
            serial=0,
            took={name: one for name, one in taken.items() if is_data(one.value)},
            follows={node: self.session.nodes[node].serial for node in before},
            makes=(),
            port="result",
            output=None,
            usage=(),
            seconds=0.0,
            display=f"agentflow-{uuid4()}",
        )

    def _display(self, run: NodeRun, took: JsonObject | None = None) -> None:
        names = self._read[run.line.name].names
        summary = summarize(run, names, self.session, before=self._before(run))
        summary = replace(summary, took=took)
        self._shown[run.line.name] = summary
        cast("Any", display).display(summary, display_id=run.display)

    def _before(self, run: NodeRun) -> Value:
        """What a node gave in the run that it was opened from; None where it was not opened."""
        step = self.session.loaded
        if step is None or step.node != run.line.name or step.output is None:
            return None
        return step.output.value

    def bring_up_to_date(self, result: object = None) -> None:
        """Shows anew the nodes of which something else is to be said now, in their own places."""
        self._end(result)
        if not hasattr(self._shell, "kernel"):
            return  # A terminal cannot write over what it has shown.
        stale: Mapping[str, tuple[str, ...]] = self.session.stale()
        for name in self._shown.keys() & self.session.nodes.keys():
            run = self.session.nodes[name]
            readers = self.session.readers(name)
            summary = replace(self._shown[name], readers=readers, stale=stale.get(name, ()))
            if summary != self._shown[name]:
                self._shown[name] = summary
                with suppress(Exception):  # A front end that is gone must not break the cell.
                    cast("Any", display).display(summary, display_id=run.display, update=True)


def _whole(line: str, source: str) -> str:
    """The whole text of a node's cell."""
    return f"%%node {line.strip()}\n{source}".removesuffix("\n")
