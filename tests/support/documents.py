"""The sample agent, ways to change it, and every diagnostic of a text with its place."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.graph.check import check_agent
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.spec.diagnostics import Diagnostic, has_errors, locate
from agentflow_dagster.spec.parse import parse_agent
from agentflow_dagster.spec.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.graph.check import Verdict
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject, JsonValue

SAMPLE_FILE = Path(__file__).parent.parent / "spec" / "sample.agent.yaml"
SAMPLE = SAMPLE_FILE.read_text(encoding="utf-8")


def document(text: str) -> JsonObject:
    """What a text says; it has to be well-formed."""
    source = read_yaml(text)
    assert not source.diagnostics, source.diagnostics
    assert source.document is not None
    return source.document


def sample() -> JsonObject:
    """The sample, to be changed at will."""
    return document(SAMPLE)


def agent(given: JsonObject) -> Agent:
    """The agent of a document whose fields are in order."""
    parsed = parse_agent(given)
    assert not isinstance(parsed, tuple), parsed
    return parsed


def minimal(nodes: JsonObject, **spec: JsonValue) -> JsonObject:
    """A document of these nodes and little else."""
    return {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": "small"},
        "spec": {**spec, "nodes": nodes},
    }


def verdict(given: JsonObject) -> Verdict:
    """What the checks say of a document whose fields are in order."""
    return check_agent(agent(given), builtin_kinds())


def plan(given: JsonObject) -> Plan:
    """The plan of a sound document."""
    judged = verdict(given)
    assert judged.plan is not None, judged.diagnostics
    return judged.plan


def problems(given: JsonObject) -> tuple[Diagnostic, ...]:
    """Every diagnostic of a document."""
    parsed = parse_agent(given)
    if isinstance(parsed, tuple):
        return parsed
    return check_agent(parsed, builtin_kinds()).diagnostics


def placed(text: str) -> tuple[Diagnostic, ...]:
    """Every diagnostic of a text, with its line and column."""
    source = read_yaml(text)
    found = source.diagnostics
    if source.document is not None and not has_errors(found):
        found = (*found, *problems(source.document))
    return tuple(
        d.at("a.yaml", None if d.line else locate(source.positions, d.pointer)) for d in found
    )


def codes(given: JsonObject) -> list[str]:
    """The codes of a document's errors."""
    return [d.code for d in problems(given) if d.severity == "error"]


def changed(given: JsonObject, path: str, value: JsonValue) -> JsonObject:
    """A copy with the value at a dotted path set."""
    copy = deepcopy(given)
    at: Any = copy
    *parents, last = path.split(".")
    for step in parents:
        at = at[step]
    at[last] = value
    return copy


def without(given: JsonObject, path: str) -> JsonObject:
    """A copy without what stands at a dotted path."""
    copy = deepcopy(given)
    at: Any = copy
    *parents, last = path.split(".")
    for step in parents:
        at = at[step]
    del at[last]
    return copy


def places(value: JsonValue, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value in a tree, the root's too."""
    yield path
    if isinstance(value, dict):
        for key, inner in cast("JsonObject", value).items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[JsonValue]", value)):
            yield from places(inner, (*path, index))
