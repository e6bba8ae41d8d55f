"""Nodes that do less, or may take longer, than their author will have meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.graph import templates
from agentflow_dagster.spec.diagnostics import pointer, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.graph.graph_check import CheckedGraph
    from agentflow_dagster.graph.lint.subject import Path, PlacedNode, Subject
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.kind import Catalogue


def ports_without_follower(given: Subject) -> Iterator[Diagnostic]:
    """AF311: a case of a switch that nothing comes after. A default may well lead nowhere."""
    for placed in given.nodes:
        if placed.kind.asset:
            continue
        name, node = placed.name, placed.node
        followed = {edge.port for edge in placed.graph.topology.out_of(name)}
        for port in placed.graph.ports[name]:
            if port in followed or port in ("result", "error", node.with_.get("default")):
                continue
            yield warning(
                "AF311",
                f"Nothing comes after '{name}.{port}': a run that goes this way ends there.",
                pointer=_port_place(placed, port),
                hint=f"Write `after: [{name}.{port}]` in a node, or leave the case to the default.",
            )


def calls_without_timeout(given: Subject) -> Iterator[Diagnostic]:
    """AF701: an HTTP call for which nobody chose a time limit."""
    spec = given.agent.spec
    if spec.defaults.timeout is not None or "default_timeout" in spec.config.model_fields_set:
        return
    for placed in given.nodes:
        if placed.node.kind == "tool.http" and placed.node.timeout is None:
            yield warning(
                "AF701",
                f"{placed.name!r} waits up to {spec.config.default_timeout} for an answer.",
                pointer=pointer(*placed.path),
                hint="Choose a limit: `timeout: 30s`, here or in spec.defaults.",
            )


def unused_nodes(given: Subject) -> Iterator[Diagnostic]:
    """AF702: work that nobody sees. Without `outputs` the assets themselves are the result."""
    for placed in given.nodes:
        graph = placed.graph.graph
        if not graph.outputs or not placed.kind.asset or placed.kind.effects == "external":
            continue
        if placed.graph.topology.out_of(placed.name) or given.reads_of(placed.name):
            continue
        where = ".".join(map(str, (*graph.path, "outputs")))
        yield warning(
            "AF702",
            f"Nothing reads {placed.name!r}, and nothing comes after it.",
            pointer=pointer(*placed.path),
            hint=f"Read it in a node or in {where}, or take it out.",
        )


def prompts_that_read_nothing(given: Subject) -> Iterator[Diagnostic]:
    """AF706: a model that is told the same in every run."""
    for placed in given.nodes:
        config = placed.node.with_
        if "llm" not in placed.kind.uses or not config:
            continue
        if not templates.roots(templates.find(config, ())) and not placed.kind.reads(config):
            yield warning(
                "AF706",
                f"{placed.name!r} reads nothing: it asks the model the same in every run.",
                pointer=pointer(*placed.path, "with"),
                hint="Read the input or another node: {{input.…}}.",
            )


def loops_without_budget(given: Subject) -> Iterator[Diagnostic]:
    """AF709: a loop that asks models, as often as there are items, at whatever it costs."""
    if given.agent.spec.budget is not None:
        return
    told: list[Path] = []
    for placed in given.nodes:
        if any(placed.path[: len(outer)] == outer for outer in told):
            continue  # The loop around it was told of.
        if placed.node.kind == "logic.loop" and _asks_models(placed, given.kinds):
            told.append(placed.path)
            yield warning(
                "AF709",
                f"{placed.name!r} asks models in a loop, and nothing bounds what it may cost.",
                pointer=pointer(*placed.path),
                hint="Set `budget: {perRunUsd: …}`.",
            )


def _asks_models(placed: PlacedNode, kinds: Catalogue) -> bool:
    """Whether something in a node's bodies asks a model."""

    def asks(graph: CheckedGraph) -> bool:
        inner = [body for bodies in graph.bodies.values() for body in bodies.values()]
        own = any(kinds[node.kind].uses & {"llm", "own_llm"} for node in graph.graph.nodes.values())
        return own or any(map(asks, inner))

    return any(map(asks, placed.graph.bodies.get(placed.name, {}).values()))


def _port_place(placed: PlacedNode, port: str) -> str:
    cases = placed.node.with_.get("cases")
    inside = ("with", "cases", port) if isinstance(cases, dict) and port in cases else ("with",)
    return pointer(*placed.path, *inside)
