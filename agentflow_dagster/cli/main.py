"""The group of commands, and what their errors look like.

Exit status: 0 done, 1 the document has errors or the run failed, 2 the command was used wrongly,
130 interrupted.
"""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING

import click

from agentflow_dagster.errors import AgentFlowError, DocumentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = "agentflow_dagster.cli.commands"
_COMMANDS: Mapping[str, str] = {
    "answer": "Fill in the form that a run waits for.",
    "approvals": "List what people are asked.",
    "approve": "Approve what a run waits for.",
    "cancel": "Stop a run.",
    "check": "Say what is wrong with agent files.",
    "convert": "Write an agent in another form: YAML, JSON, Python or a notebook.",
    "costs": "Say what models cost, and how budgets stand.",
    "delegate": "Let somebody else decide.",
    "delete": "Take an agent out of its environment.",
    "demo": "Run the sample agents on real tickets, from nothing.",
    "deploy": "Store agents as versions and make them live.",
    "describe": "Show one agent: nodes, triggers, input.",
    "diff": "Compare two agents by what they mean.",
    "dlq": "See and take on what failed for good.",
    "down": "Stop what `agentflow up` started.",
    "estimate": "Say what a run may be expected to cost.",
    "init": "Make a new project that runs.",
    "kinds": "List the node kinds, or show one.",
    "list": "List the agents of this project.",
    "live-view": "Follow runs while they happen.",
    "open": "Open a step of a past run as a notebook.",
    "reject": "Reject what a run waits for.",
    "retention": "Delete what is past its age.",
    "run": "Run an agent and wait for its result.",
    "runs": "List the newest runs.",
    "schema": "Print the JSON Schema of agent documents.",
    "test": "Run the tests that agents bring along.",
    "up": "Start everything and keep it running until Ctrl-C.",
    "version": "Print the version.",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        return import_module(f"{_FOLDER}.{cmd_name.replace('-', '_')}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            from agentflow_dagster.spec.diagnostics import nearest

            raise click.UsageError(f"No command {args[0]!r}. {nearest(args[0], _COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def agentflow() -> None:
    """Turns a notebook or a graph into a production agent on Dagster.

    \b
    Examples:
      agentflow check notebooks/support_triage.agent.yaml
      agentflow run notebooks/invoice_check.ipynb --input '{"tolerance": 0.05}'
      agentflow deploy notebooks/*.agent.yaml
      agentflow up
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs a command and ends the process with its status."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 shows some other sign for "…", and the command goes on.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = agentflow.main(arguments, prog_name="agentflow", standalone_mode=False)
    except AgentFlowError as problem:
        sys.exit(_told(problem))
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)


def _told(problem: AgentFlowError) -> int:
    """Tells what went wrong; the exit status."""
    from agentflow_dagster.cli.output import shown

    if isinstance(problem, DocumentError):
        for diagnostic in problem.diagnostics:
            click.echo(shown(str(diagnostic)), err=True)
        return 1
    click.secho(shown(f"Error: {problem.message}"), fg="red", err=True)
    if problem.hint:
        click.echo(shown(problem.hint), err=True)
    return 2 if isinstance(problem, UsageError) else 1
