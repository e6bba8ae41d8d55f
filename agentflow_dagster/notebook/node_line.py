"""The first line of a node's cell: `%%node NAME [--kind KIND] [--timeout 30s] …`.

What has an option of its own is what people write often; `--set FIELD=VALUE` reaches every other
field of a node, so that a cell can say all that a document can.
"""

from __future__ import annotations

import argparse
import re
import shlex
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NoReturn

from agentflow_dagster.spec.units import quantity_bytes, seconds
from agentflow_dagster.spec.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.spec.values import JsonObject, JsonValue

MAGIC = "%%node"
CODE = "code.python"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KIND = re.compile(r"[a-z][a-z0-9]*\.[a-z][a-z0-9_]*")
_PORT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_FAMILIES = ("ai", "tool", "action", "logic", "human", "memory", "knowledge", "transform", "code")


@dataclass(frozen=True, slots=True)
class NodeLine:
    """What the line says.

    Args:
        name: The node's name.
        kind: Its kind.
        timeout: A duration, `30s`.
        attempts: How often it is attempted in all.
        memory: A quantity, `512Mi`.
        model: The model that answers it.
        after: Nodes or ports that it comes after.
        when: The `{{ }}` that skips it where false.
        join: Whether all of `after` must have run, or any one.
        on_error: The node that takes over where it fails.
        inputs: What code finds defined beside the names that it reads, by name.
        outputs: Names that code leaves; None where its text tells them.
        fields: Other fields of the node, by their path: `retry.backoff`.
        description: What it does, in a sentence.
    """

    name: str
    kind: str = CODE
    timeout: str | None = None
    attempts: int | None = None
    memory: str | None = None
    model: str | None = None
    after: tuple[str, ...] = ()
    when: str | None = None
    join: str | None = None
    on_error: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    outputs: tuple[str, ...] | None = None
    fields: Mapping[str, JsonValue] = field(default_factory=dict[str, "JsonValue"])
    description: str | None = None

    @property
    def is_code(self) -> bool:
        """Whether the cell's text is Python."""
        return self.kind == CODE

    @property
    def is_exact(self) -> bool:
        """Whether the line has the whole config but for code, so that no cell tells any of it."""
        return "with" in self.fields

    def entry(self, with_: JsonObject) -> JsonObject:
        """The node as the document has it.

        Args:
            with_: What the cell's text says of its config.
        """
        if self.memory is not None and self.is_code:
            with_ = {**with_, "memory": self.memory}
        said: dict[str, JsonValue] = {
            "description": self.description,
            "after": list(self.after) or None,
            "when": self.when,
            "join": self.join,
            "onError": _of("to", self.on_error),
            "retry": _of("maxAttempts", self.attempts),
            "timeout": self.timeout,
            "llm": _of("model", self.model),
            "resources": None if self.is_code else _of("memory", self.memory),
        }
        node: JsonObject = {"kind": self.kind, "with": with_}
        node |= {name: value for name, value in said.items() if value is not None}
        for path, value in self.fields.items():
            _put(node, path.split("."), value)
        return node


@lru_cache(maxsize=1_000)
def parse_node_line(text: str) -> NodeLine:
    """Reads what follows `%%node`.

    Raises:
        ValueError: it cannot be understood; the message says what would be.
    """
    found = _parser().parse_args(shlex.split(text, comments=True))
    return NodeLine(
        found.name,
        found.kind,
        found.timeout,
        found.retry,
        found.memory,
        found.model,
        found.after,
        found.when,
        found.join,
        found.on_error,
        dict(found.inputs),
        found.outputs,
        dict(found.fields),
        found.description,
    )


def describe_node_line() -> str:
    """The options as text, for `--help`."""
    return _parser().format_help()


def node_options() -> list[str]:
    """The options' names, for completion."""
    return sorted(re.findall(r"--[a-z-]+", describe_node_line()))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


@cache
def _parser() -> _Parser:
    parser = _Parser(
        prog=MAGIC,
        usage="%%node NAME [--kind KIND] [options]".replace("%", "%%"),
        description="Runs the cell here, as always, and makes it a node of the agent.",
        epilog="Names that the cell reads from other nodes become its inputs. The text of a "
        "`code.python` node is Python, that of an `ai.*` node its prompt, with {{names}} in it; "
        "other config stands before the prompt, as YAML between two lines of `---`. The text of "
        "any other kind is its config, as YAML.",
        add_help=False,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("name", metavar="NAME", type=_name, help="the node's name: lower-case letters, digits, _")
    add("--kind", type=_kind, default=CODE, help="what it does: ai.chat, tool.http (code.python)")
    add("--model", help="the model that answers an ai.* node")
    add("--description", metavar="TEXT", help="what it does, in a sentence")
    add("--timeout", type=_duration, help="most time for one attempt (30s, 5m)")
    add("--retry", type=_attempts, help="attempts in all, 1 to 20")
    add("--memory", type=_memory, help="most memory beyond Python's own (512Mi)")
    add("--after", type=_ports, default=(), metavar="NODE[.PORT],…", help="what it comes after")
    add("--when", help="a {{condition}}; where it is false, the node is skipped")
    add("--join", choices=("all", "any"), help="whether all of --after must have run, or any one")
    add("--on-error", type=_name, metavar="NODE", help="the node that takes over where it fails")
    add(
        "--in",
        dest="inputs",
        type=_input,
        action="append",
        default=[],
        metavar="NAME={{…}}",
        help="gives the code a name that no cell makes",
    )
    add("--out", dest="outputs", type=_names, metavar="NAME,…", help="the names that it gives")
    add(
        "--set",
        dest="fields",
        type=_field,
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="any other field of the node, as YAML: llm.temperature=0.2",
    )
    add("--help", action="store_true", help="show this and run nothing")
    return parser


def _of(field_name: str, value: JsonValue) -> JsonValue:
    """An object of one field; None where it has no value."""
    return None if value is None else {field_name: value}


def _put(node: JsonObject, path: list[str], value: JsonValue) -> None:
    for name in path[:-1]:
        inner = node.get(name)
        if not isinstance(inner, dict):
            inner = node[name] = {}
        node = inner
    node[path[-1]] = deepcopy(value)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a node name; write lower-case letters, digits and _, "
            "beginning with a letter"
        )
    return text


def _kind(text: str) -> str:
    if not _KIND.fullmatch(text):
        known = ", ".join(f"{family}.…" for family in _FAMILIES)
        raise argparse.ArgumentTypeError(f"{text!r} is not a kind; kinds are {known}")
    return text


def _ports(text: str) -> tuple[str, ...]:
    ports = tuple(port.strip() for port in text.split(","))
    for port in ports:
        if not _PORT.fullmatch(port):
            raise argparse.ArgumentTypeError(f"{port!r} is no node; write NODE, or NODE.PORT")
    return ports


def _input(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _VARIABLE.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{text!r} gives no name a value; write NAME={{{{…}}}}")
    return name, value


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise argparse.ArgumentTypeError(f"{name!r} is no name of Python")
    return names


def _field(text: str) -> tuple[str, JsonValue]:
    path, equals, value = text.partition("=")
    if not equals or not _FIELD.fullmatch(path):
        raise argparse.ArgumentTypeError(f"{text!r} sets no field; write FIELD=VALUE")
    source = read_yaml(f"value: {value}")
    if source.document is None or source.diagnostics:
        raise argparse.ArgumentTypeError(f"{value!r} is not YAML: {source.diagnostics[0].message}")
    return path, source.document["value"]


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
