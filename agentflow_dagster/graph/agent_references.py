"""Agents that an agent runs: `agents/classifier:v1.2` and its like, read and looked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from agentflow_dagster.spec.diagnostics import Diagnostic, error, nearest, pointer
from agentflow_dagster.spec.template import has_expression

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject, JsonValue

RUN = "agent.run"
"""The kind of node that runs another agent; its config's `agent` is the reference."""

_FORM = re.compile(
    r"(?:agents/)?(?P<name>[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@sha256:(?P<digest>[0-9a-f]{64}))?"
)
_HOW = "Write `name`, `agents/name:tag` or `name@sha256:…`."

KnownAgents: TypeAlias = "Mapping[str, Collection[str]]"
"""The agents that can be run, by name, each with the tags that it has."""


@dataclass(frozen=True, slots=True)
class AgentReference:
    """An agent by name; `tag` and `digest` (a version's hash, hex) say which state of it."""

    name: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"agents/{self.name}{tag}{f'@sha256:{self.digest}' if self.digest else ''}"


def parse_reference(text: str) -> AgentReference | None:
    """The reference that a text is: `name`, `agents/name:tag`, `…@sha256:<hash>`; None for none."""
    match = _FORM.fullmatch(text)
    return AgentReference(match["name"], match["tag"], match["digest"]) if match else None


def references(agent: Agent) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every agent that a node runs, bodies of loops too: its path in the document and its text.

    One that an expression gives is known at run time alone, and is left out.
    """
    for name, node in agent.spec.nodes.items():
        path = ("spec", "nodes", name)
        yield from _of_node(node.kind, dict(node.with_), (*path, "with"))


def check_references(agent: Agent, known: KnownAgents) -> Iterator[Diagnostic]:
    """Whether the agents that nodes run exist, with the tags that are asked for.

    Args:
        agent: The agent whose nodes are looked at.
        known: Agents of the project and deployed ones.
    """
    for path, text in references(agent):
        place = pointer(*path)
        reference = parse_reference(text)
        if reference is None:
            yield error("AF805", f"{text!r} names no agent.", pointer=place, hint=_HOW)
        elif reference.name not in known:
            message = f"There is no agent {reference.name!r}."
            hint = _nearest_reference(reference, known)
            yield error("AF806", message, pointer=place, hint=hint)
        elif reference.digest is None and reference.tag not in {None, *known[reference.name]}:
            tags = known[reference.name]
            message = f"The agent {reference.name!r} has no tag {reference.tag!r}."
            hint = nearest(str(reference.tag), tags) if tags else _tagless(reference)
            yield error("AF807", message, pointer=place, hint=hint)


def _of_node(
    kind: object, config: JsonValue, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    named = config.get("agent") if isinstance(config, dict) else None
    if kind == RUN and isinstance(named, str) and not has_expression(named):
        yield (*path, "agent"), named
    yield from _of_bodies(config, path)


def _of_bodies(
    value: JsonValue, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Those under every `nodes` in a config: a loop has one body, a branch several."""
    match value:
        case dict():
            for key, inner in value.items():
                if key != "nodes":
                    yield from _of_bodies(inner, (*path, key))
            for name, node in _nodes(value.get("nodes")):
                inside = (*path, "nodes", name, "with")
                yield from _of_node(node.get("kind"), node.get("with"), inside)
        case list():
            for index, inner in enumerate(value):
                yield from _of_bodies(inner, (*path, index))
        case _:
            return


def _nodes(value: JsonValue) -> Iterator[tuple[str, JsonObject]]:
    if isinstance(value, dict):
        for name, node in value.items():
            if isinstance(node, dict):
                yield name, node


def _nearest_reference(reference: AgentReference, known: KnownAgents) -> str:
    """By name, then by tag: the prefix that all of them share says nothing."""
    import difflib

    if not known:
        return "Deploy it, or put its file under notebooks/."
    close = difflib.get_close_matches(reference.name, sorted(known), n=1, cutoff=0.5)
    if not close:
        return nearest(reference.name, known)
    tags = sorted(known[close[0]])
    tag = reference.tag if reference.tag in tags else tags[-1] if tags else None
    return f"Did you mean {str(AgentReference(close[0], tag))!r}?"


def _tagless(reference: AgentReference) -> str:
    return f"Write `metadata: {{name: {reference.name}, tag: {reference.tag}}}` in its file."
