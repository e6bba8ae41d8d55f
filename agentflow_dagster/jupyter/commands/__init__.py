"""The subcommands of `%agentflow`, a file each.

A file has a `SUMMARY`, adds its `arguments` to a parser, and its `carry_out` gives what the cell
shows.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.spec.diagnostics import nearest

if TYPE_CHECKING:
    from agentflow_dagster.jupyter.session import Session

NAMES = (
    *("agent", "check", "costs", "deploy", "graph", "help", "load", "open", "promote", "run"),
    *("runs", "test", "version"),
)
CELLS = frozenset({"agent"})
"""Those that take a cell: `%%agentflow agent`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was written.

    Args:
        options: The words that followed the subcommand.
        cell: The text below it; "" where there is none.
        session: What has run in this kernel.
    """

    options: argparse.Namespace
    cell: str
    session: Session


class Command(Protocol):
    """What a subcommand's file holds."""

    SUMMARY: str

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds what may follow the subcommand."""
        ...

    def carry_out(self, asked: Asked) -> object:
        """Does it; gives what the notebook shows, or None."""
        ...


def carry_out(line: str, cell: str | None, session: Session) -> object:
    """Carries out a line `%agentflow NAME …`, or a cell that begins with one.

    Raises:
        UsageError: there is no such subcommand, or it was used wrongly.
    """
    try:
        name, *words = shlex.split(line) or ["help"]
    except ValueError as problem:
        raise UsageError(f"%agentflow {line}: {problem}.") from None
    if name in {"help", "--help", "-h"}:
        sys.stdout.write(described())
        return None
    if name not in NAMES:
        raise UsageError(f"%agentflow has no {name!r}.", hint=nearest(name, NAMES))
    command = find(name)
    parser = parser_of(name, command)
    if "--help" in words:
        sys.stdout.write(parser.format_help())
        return None
    if cell is not None and name not in CELLS:
        raise UsageError(f"%%agentflow {name} takes no cell.", hint=f"Write %agentflow {name}.")
    if cell is None and name in CELLS:
        raise UsageError(f"%agentflow {name} is a cell.", hint=f"Write %%agentflow {name}.")
    return command.carry_out(Asked(parser.parse_args(words), cell or "", session))


def find(name: str) -> Command:
    """The subcommand of that name."""
    return cast("Command", import_module(f"{__name__}.{name}"))


def parser_of(name: str, command: Command) -> argparse.ArgumentParser:
    """What reads the words that follow a subcommand."""
    prefix = "%%%%" if name in CELLS else "%%"
    parser = _Parser(prog=f"{prefix}agentflow {name}".replace("%%", "%"),
                     description=command.SUMMARY, add_help=False, allow_abbrev=False)  # fmt: skip
    command.arguments(parser)
    parser.add_argument("--help", action="store_true", help="show this and do nothing")
    return parser


def described() -> str:
    """Every magic and subcommand with what it does."""
    lines = ["%%node NAME [options]    runs a cell and makes it a node of the agent; %node --help"]
    for name in NAMES:
        if name != "help":
            magic = f"%%agentflow {name}" if name in CELLS else f"%agentflow {name}"
            lines.append(f"{magic:<24} {find(name).SUMMARY}")
    return "\n".join([*lines, "%agentflow NAME --help   says more of one", ""])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}.", hint=f"{self.prog} --help shows how.")
