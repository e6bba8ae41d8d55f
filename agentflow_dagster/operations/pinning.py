"""Holds the agents that an agent runs to versions: every tag becomes a digest.

`agents/qa:v0.8` means whatever has that tag at the moment; a deployed version means the same
forever, so what is stored says `agents/qa:v0.8@sha256:<hash>`.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeVar, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.graph.agent_references import AgentReference, parse_reference, references
from agentflow_dagster.operations.agents import document_tag
from agentflow_dagster.spec.canonical import to_json
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.ports.stores import VersionHash, VersionStore
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonValue

ItemT = TypeVar("ItemT")


def pinned(agent: Agent, find: Callable[[AgentReference], VersionHash]) -> Agent:
    """The agent with a digest in every reference.

    Args:
        agent: A checked agent.
        find: The version that a reference without a digest means.
    """

    def held(one: AgentReference) -> AgentReference:
        return one if one.digest else replace(one, digest=find(one))

    return _with_references(agent, held)


def without_digests(agent: Agent) -> Agent:
    """The agent with references by name and tag alone."""
    return _with_references(agent, lambda one: replace(one, digest=None))


def deployed_version(
    versions: VersionStore, environment: str, reference: AgentReference
) -> VersionHash | None:
    """The deployed version that a reference means: the newest with its tag, or of its number."""
    for one in versions.history(environment, reference.name):
        version = one.version
        tags = {None, str(version.number), document_tag(version.document)}
        if reference.tag in tags:
            return version.hash
    return None


def in_order(items: Mapping[str, ItemT], agents: Mapping[str, Agent]) -> list[ItemT]:
    """Items by agent name, in an order in which what an agent runs comes before it.

    Raises:
        UsageError: agents run each other in a circle.
    """
    runs = {name: _names(agent) & items.keys() for name, agent in agents.items() if name in items}
    try:
        order = list(TopologicalSorter(runs).static_order())
    except CycleError as problem:
        circle = " -> ".join(cast("list[str]", problem.args[1]))
        raise UsageError(
            f"These agents run each other: {circle}.",
            hint="A version names those that it runs by digest, so there is none to begin with.",
        ) from None
    return [items[name] for name in order]


def _names(agent: Agent) -> set[str]:
    found = (parse_reference(text) for _, text in references(agent))
    return {one.name for one in found if one is not None}


def _with_references(agent: Agent, change: Callable[[AgentReference], AgentReference]) -> Agent:
    document = deepcopy(to_json(agent))
    changed = False
    for path, text in references(agent):
        reference = parse_reference(text)
        if reference is None or (other := change(reference)) == reference:
            continue
        _set(document, path, str(other))
        changed = True
    if not changed:
        return agent
    parsed = parse_agent(document)
    assert not isinstance(parsed, tuple), parsed
    return parsed


def _set(document: JsonValue, path: tuple[str | int, ...], value: str) -> None:
    for step in path[:-1]:
        document = cast("dict[str | int, JsonValue]", document)[step]
    cast("dict[str | int, JsonValue]", document)[path[-1]] = value
