"""The plan: an agent that passed every check, made ready to compile and to run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from agentflow_dagster.graph import templates
from agentflow_dagster.graph.data_marks import NONE, Marks, data_marks, outside_arguments
from agentflow_dagster.graph.demands import is_repeatable
from agentflow_dagster.graph.topology import nearest_ancestors
from agentflow_dagster.spec.canonical import canonical_json, ordered
from agentflow_dagster.spec.document import LLM, Agent, Node, Retry
from agentflow_dagster.spec.units import seconds

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from agentflow_dagster.graph.code_places import CodePlace
    from agentflow_dagster.graph.graph_check import CheckedGraph
    from agentflow_dagster.graph.topology import Edge
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue


OnUnknown: TypeAlias = Literal["retry", "fail", "review"]
"""What becomes of a step of which nobody knows whether it was done."""


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One node, ready to run.

    Args:
        name: The node's name.
        node: Its part of the document.
        ports: Ports by which it may leave, `error` included where `onError` is set.
        edges: What it waits for.
        asset: Whether it is a Dagster asset.
        asset_parents: Nearest assets upstream, through nodes that are none.
        output_schema: JSON Schema of its output.
        code_version: Hash of what it does and of the code versions of all its parents.
        llm: The node's model settings over the agent's.
        retry: How often it is attempted, or None; the agent's defaults do not count for a step
            that does no more than run its bodies, whose steps have them.
        timeout: Seconds per attempt.
        marks: What is to be minded of the data that it reads.
        needs_approval: Whether a person has to approve it before it runs: it changes something
            outside, by data from outside, and the agent asks for that.
        by_arguments: Whether, in a tool's body, all that it reads from outside is in the call's
            arguments: who has allowed the call has allowed it.
        waits: Whether it, or a step inside it, may wait for a time, a person or a call.
        on_unknown: What becomes of it where it was under way when its process ended.
        bodies: The graphs inside it, by name.
        code_place: Where its code stands in its author's notebook, where it does and that is known.
    """

    name: str
    node: Node
    ports: tuple[str, ...]
    edges: tuple[Edge, ...]
    asset: bool
    asset_parents: tuple[str, ...]
    output_schema: JsonSchema
    code_version: str
    llm: LLM
    retry: Retry | None
    timeout: float
    marks: Marks = NONE
    needs_approval: bool = False
    by_arguments: bool = False
    waits: bool = False
    on_unknown: OnUnknown = "retry"
    bodies: Mapping[str, PlanBody] = field(default_factory=dict[str, "PlanBody"])
    code_place: CodePlace | None = None

    @property
    def handles_errors(self) -> bool:
        """Whether its last failed attempt leaves by the `error` port."""
        return self.node.on_error is not None


@dataclass(frozen=True, slots=True)
class PlanBody:
    """A graph inside a step, ready to run.

    Args:
        steps: In an order in which each comes after all it waits for.
        outputs: What it gives, by name, as its author wrote it.
    """

    steps: tuple[PlanStep, ...]
    outputs: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Plan:
    """An agent and its steps, in an order in which each comes after all it waits for."""

    agent: Agent
    steps: tuple[PlanStep, ...]

    @property
    def waits(self) -> bool:
        """Whether its runs may wait for times, people or calls."""
        return any(step.waits for step in self.steps)

    def step(self, name: str) -> PlanStep:
        """The step of a node.

        Raises:
            KeyError: no such node.
        """
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


def build_plan(checked: CheckedGraph, kinds: Catalogue) -> Plan:
    """Puts together what the checks of an agent's graph found out."""
    return Plan(checked.graph.agent, _steps(checked, kinds))


def _steps(checked: CheckedGraph, kinds: Catalogue, around: Marks = NONE) -> tuple[PlanStep, ...]:
    graph, topology = checked.graph, checked.topology
    marks = data_marks(checked, kinds, around)
    past_arguments = outside_arguments(checked, kinds)
    agent = graph.agent
    shown = _shown(checked)
    insides = {
        name: {
            body: _body(inner, kinds, marks[name])
            for body, inner in checked.bodies.get(name, {}).items()
        }
        for name in topology.order
    }
    assets = {n: kinds[node.kind].asset and n in shown for n, node in graph.nodes.items()}
    parents = nearest_ancestors(topology, assets)
    versions = code_versions(checked, kinds)
    return tuple(
        PlanStep(
            name=name,
            node=(node := graph.nodes[name]),
            ports=checked.ports[name],
            edges=topology.into(name),
            asset=assets[name],
            asset_parents=parents[name],
            output_schema=checked.types[name],
            code_version=versions[name],
            llm=effective_llm(agent, node, kinds[node.kind]),
            retry=_retry(checked, name, kinds),
            timeout=effective_timeout(agent, node),
            on_unknown=(known := _on_unknown(node, kinds[node.kind])),
            marks=marks[name],
            needs_approval=(asks := _needs_approval(agent, kinds[node.kind], marks[name])),
            by_arguments=name not in past_arguments,
            waits=known == "review"
            or asks
            or kinds[node.kind].may_wait(node.with_)
            or any(step.waits for body in insides[name].values() for step in body.steps),
            bodies=insides[name],
        )
        for name in topology.order
    )


def _retry(checked: CheckedGraph, name: str, kinds: Catalogue) -> Retry | None:
    node = checked.graph.nodes[name]
    only_bodies = name in checked.bodies and "llm" not in kinds[node.kind].uses
    return node.retry if only_bodies else effective_retry(checked.graph.agent, node)


def _on_unknown(node: Node, kind: KindSignature[KindConfig]) -> OnUnknown:
    return "retry" if is_repeatable(node, kind) else node.on_unknown or "retry"


def _needs_approval(agent: Agent, kind: KindSignature[KindConfig], marks: Marks) -> bool:
    asked = agent.spec.config.tainted_effects == "approve"
    return asked and kind.effects == "external" and "tainted" in marks


def _body(inner: CheckedGraph, kinds: Catalogue, around: Marks) -> PlanBody:
    return PlanBody(_steps(inner, kinds, around), inner.graph.outputs)


def _shown(checked: CheckedGraph) -> Collection[str]:
    """The nodes that `lineage` lets be assets, as far as they hold data."""
    graph = checked.graph
    match graph.agent.spec.lineage:
        case "nodes":
            return graph.nodes
        case "outputs":
            return templates.roots(templates.find(dict(graph.outputs), ())).keys() & graph.nodes
        case "none":
            return ()


def code_versions(checked: CheckedGraph, kinds: Catalogue) -> dict[str, str]:
    """A hash per node over what it does and over all its parents' hashes.

    Dagster marks only the asset whose own code version changed; with the parents hashed in, a
    changed prompt or condition marks itself and exactly what is downstream of it.
    """
    versions: dict[str, str] = {}
    for name in checked.topology.order:
        kind = kinds[checked.graph.nodes[name].kind]
        meaning = _meaning(checked, name, kinds)
        upstream = sorted(
            f"{e.source}.{e.port}:{e.role}:{versions[e.source]}"
            for e in checked.topology.into(name)
        )
        text = canonical_json([kind.version, meaning, list(upstream)])
        versions[name] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return versions


def _meaning(checked: CheckedGraph, name: str, kinds: Catalogue) -> JsonObject:
    """What of a node decides its output: not how often it is tried, nor how it is described."""
    agent, node = checked.graph.agent, checked.graph.nodes[name]
    told: JsonObject = node.model_dump(mode="json", include={"kind", "when", "join"})
    told["with"] = ordered(dict(node.with_))
    uses = kinds[node.kind].uses
    if uses & {"llm", "own_llm"}:
        settings = effective_llm(agent, node, kinds[node.kind])
        told["llm"] = _told_llm(settings)
        if agent.spec.llm_routing is not None:
            told["routing"] = agent.spec.llm_routing.model_dump(mode="json", by_alias=True)
    if "code" in uses and agent.spec.defaults.code is not None:
        told["setup"] = agent.spec.defaults.code.setup
    if name in checked.bodies:
        told["bodies"] = {
            body: cast("JsonObject", code_versions(inner, kinds))
            for body, inner in checked.bodies[name].items()
        }
    return told


def _told_llm(settings: LLM) -> JsonObject:
    """What of the settings counts; those that came later only where they are set."""
    always = ("model", "temperature", "maxTokens")
    told = settings.model_dump(mode="json", by_alias=True)
    return {name: it for name, it in told.items() if name in always or it is not None}


def effective_llm(
    agent: Agent, node: Node, kind: KindSignature[KindConfig], *, before: LLM | None = None
) -> LLM:
    """The node's model settings, each missing one taken from the agent's defaults.

    Args:
        agent, node, kind: The node.
        before: Settings that go before the agent's defaults, from whoever started the run.
    """
    layers = [agent.spec.defaults.llm, before] if "own_llm" not in kind.uses else []
    settings: dict[str, object] = {}
    needs: dict[str, object] = {}
    for layer in (*layers, node.llm):
        said = layer.model_dump(exclude_none=True) if layer else {}
        needs |= said.get("needs", {})
        settings |= said
    if needs:
        settings["needs"] = needs
    return LLM.model_validate(settings, by_alias=False, by_name=True)


def effective_retry(agent: Agent, node: Node) -> Retry | None:
    """The node's retry, the defaults', or the one that `config.retryPolicy` names."""
    chosen = node.retry or agent.spec.defaults.retry
    policy = agent.spec.config.retry_policy
    return chosen if chosen or policy == "none" else Retry(backoff=policy)


def effective_timeout(agent: Agent, node: Node) -> float:
    """Seconds that one attempt of the node may take."""
    chosen = node.timeout or agent.spec.defaults.timeout or agent.spec.config.default_timeout
    return seconds(chosen)
