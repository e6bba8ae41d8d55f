"""Nodes that do less, or may take longer, than their author will have meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.graph import templates
from agentflow_dagster.graph.node_graph import NodeGraph
from agentflow_dagster.spec.diagnostics import pointer, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.graph.lint.subject import Subject
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature


def ports_without_follower(given: Subject) -> Iterator[Diagnostic]:
    """AF311: a case of a switch that nothing comes after. A default may well lead nowhere."""
    for name, node in given.agent.spec.nodes.items():
        if given.kinds[node.kind].asset:
            continue
        followed = {edge.port for edge in given.topology.out_of(name)}
        for port in given.ports[name]:
            if port in followed or port in ("result", "error", node.with_.get("default")):
                continue
            yield warning(
                "AF311",
                f"Nothing comes after '{name}.{port}': a run that goes this way ends there.",
                pointer=_port_place(given, name, port),
                hint=f"Write `after: [{name}.{port}]` in a node, or leave the case to the default.",
            )


def calls_without_timeout(given: Subject) -> Iterator[Diagnostic]:
    """AF701: an HTTP call for which nobody chose a time limit."""
    spec = given.agent.spec
    if spec.defaults.timeout is not None or "default_timeout" in spec.config.model_fields_set:
        return
    for name, node in spec.nodes.items():
        if node.kind == "tool.http" and node.timeout is None:
            yield warning(
                "AF701",
                f"{name!r} waits up to {spec.config.default_timeout} for an answer.",
                pointer=pointer("spec", "nodes", name),
                hint="Choose a limit: `timeout: 30s`, here or in spec.defaults.",
            )


def unused_nodes(given: Subject) -> Iterator[Diagnostic]:
    """AF702: work that nobody sees. Without `outputs` the assets themselves are the result."""
    spec = given.agent.spec
    if not spec.outputs:
        return
    for name, node in spec.nodes.items():
        kind = given.kinds[node.kind]
        if not kind.asset or kind.effects == "external":
            continue
        if given.topology.out_of(name) or given.reads_of(name):
            continue
        yield warning(
            "AF702",
            f"Nothing reads {name!r}, and nothing comes after it.",
            pointer=pointer("spec", "nodes", name),
            hint="Read it in a node or in spec.outputs, or take it out.",
        )


def prompts_that_read_nothing(given: Subject) -> Iterator[Diagnostic]:
    """AF706: a model that is told the same in every run."""
    for name, node in given.agent.spec.nodes.items():
        kind = given.kinds[node.kind]
        if "llm" not in kind.uses or not node.with_:
            continue
        if not templates.roots(templates.find(node.with_, ())) and not kind.reads(node.with_):
            yield warning(
                "AF706",
                f"{name!r} reads nothing: it asks the model the same in every run.",
                pointer=pointer("spec", "nodes", name, "with"),
                hint="Read the input or another node: {{input.…}}.",
            )


def loops_without_budget(given: Subject) -> Iterator[Diagnostic]:
    """AF709: a loop that asks models, as often as there are items, at whatever it costs."""
    if given.agent.spec.budget is not None:
        return
    graph = NodeGraph.of_agent(given.agent)
    for name, node in graph.nodes.items():
        kind = given.kinds[node.kind]
        if node.kind == "logic.loop" and _asks_models(graph, name, kind, given.kinds):
            yield warning(
                "AF709",
                f"{name!r} asks models in a loop, and nothing bounds what it may cost.",
                pointer=pointer("spec", "nodes", name),
                hint="Set `budget: {perRunUsd: …}`.",
            )


def _asks_models(
    graph: NodeGraph, name: str, kind: KindSignature[KindConfig], kinds: Catalogue
) -> bool:
    return any(
        kinds[node.kind].uses & {"llm", "own_llm"}
        or _asks_models(body, inner, kinds[node.kind], kinds)
        for body in graph.bodies(name, kind).values()
        for inner, node in body.nodes.items()
    )


def _port_place(given: Subject, name: str, port: str) -> str:
    cases = given.agent.spec.nodes[name].with_.get("cases")
    inside = ("with", "cases", port) if isinstance(cases, dict) and port in cases else ("with",)
    return pointer("spec", "nodes", name, *inside)
