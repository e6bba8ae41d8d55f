"""The magics `%%node` and `%agentflow`."""

from __future__ import annotations

import shlex
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from IPython import display
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from agentflow_dagster.errors import UsageError
from agentflow_dagster.jupyter.body import namespace_of, read_body, run_body, told_briefly
from agentflow_dagster.jupyter.summary import Read, is_data, summarize
from agentflow_dagster.notebook import describe_node_line, parse_node_line

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_USAGE = """\
%load_ext agentflow_dagster   loads these magics
%%node NAME [options]         runs a cell and makes it a node of the agent; %node --help
%agentflow version            the version of AgentFlow
%agentflow help               this
"""


@magics_class
class AgentFlowMagics(Magics):
    """The magics of one shell. It remembers which node made which value, for the summaries."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._shell = shell
        self._makers: dict[str, tuple[str, int]] = {}

    @no_var_expand
    @line_cell_magic
    def node(self, line: str, cell: str | None = None) -> None:
        """Runs the cell here, as always, and makes it a node of the agent.

            %%node NAME [--timeout 30s] [--retry 3] [--memory 512Mi]

        `%node --help` says what the options mean. They hold where the agent runs, not here.
        """
        if cell is None or "--help" in shlex.split(line, comments=True):
            sys.stdout.write(describe_node_line())
            return
        try:
            options = parse_node_line(line)
        except ValueError as error:
            problem = UsageError(f"%%node {line}: {error}.", hint="%node --help shows how.")
            raise told_briefly(problem) from None
        names = read_body(options.name, cell)
        namespace = namespace_of(self._shell)
        reads = [Read(n, self._maker(n)) for n in names.reads if is_data(namespace.get(n))]
        started = perf_counter()
        run_body(self._shell, cell)
        seconds = perf_counter() - started
        for name in names.defines:
            self._makers[name] = (options.name, id(namespace.get(name)))
        summary = summarize(options.name, seconds, reads, names, namespace)
        cast("Any", display).display(summary)

    @no_var_expand
    @line_magic
    def agentflow(self, line: str) -> None:
        """Says which version this is, or which magics there are."""
        match line.split():
            case ["version"]:
                from agentflow_dagster import __version__

                sys.stdout.write(f"AgentFlow {__version__}\n")
            case [] | ["help"]:
                sys.stdout.write(_USAGE)
            case _:
                problem = UsageError(f"%agentflow has no {line!r}.", hint="%agentflow help lists.")
                raise told_briefly(problem)

    def _maker(self, name: str) -> str | None:
        """The node that made a name's present value; None where another cell did."""
        node, identity = self._makers.get(name, (None, 0))
        return node if identity == id(namespace_of(self._shell).get(name)) else None
