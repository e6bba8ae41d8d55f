"""The first line of a node's cell: `%%node NAME [--timeout 30s] [--retry 3] [--memory 512Mi]`."""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from agentflow_dagster.spec.units import quantity_bytes, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

MAGIC = "%%node"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class NodeLine:
    """What the line says.

    Args:
        name: The node's name.
        timeout: A duration, `30s`.
        attempts: How often it is attempted in all.
        memory: A quantity, `512Mi`.
    """

    name: str
    timeout: str | None = None
    attempts: int | None = None
    memory: str | None = None


def parse_node_line(text: str) -> NodeLine:
    """Reads what follows `%%node`.

    Raises:
        ValueError: it cannot be understood; the message says what would be.
    """
    found = _parser().parse_args(shlex.split(text, comments=True))
    return NodeLine(found.name, found.timeout, found.retry, found.memory)


def describe_node_line() -> str:
    """The options as text, for `--help`."""
    return _parser().format_help()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parser() -> _Parser:
    parser = _Parser(
        prog=MAGIC,
        usage="%%node NAME [--timeout 30s] [--retry 3] [--memory 512Mi]".replace("%", "%%"),
        description="Runs the cell here, as always, and makes it a node of the agent.",
        epilog="Names that the cell reads from other nodes become its inputs.",
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument(
        "name", metavar="NAME", type=_name, help="the node's name: lower-case letters, digits, _"
    )
    parser.add_argument("--timeout", type=_duration, help="most time for one attempt (30s, 5m)")
    parser.add_argument("--retry", type=_attempts, help="attempts in all, 1 to 20")
    parser.add_argument("--memory", type=_memory, help="most memory beyond Python's own (512Mi)")
    parser.add_argument("--help", action="store_true", help="show this and run nothing")
    return parser


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a node name; write lower-case letters, digits and _, "
            "beginning with a letter"
        )
    return text


def _duration(text: str) -> str:
    return _checked(text, seconds)


def _memory(text: str) -> str:
    return _checked(text, quantity_bytes)


def _attempts(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 20:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 20")
    return int(text)


def _checked(text: str, read: Callable[[str], object]) -> str:
    try:
        read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
