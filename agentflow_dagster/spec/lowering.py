"""A workflow as the agent that it stands for.

Each of its agents becomes a node `agent.run`, with hyphens in its name as underscores, that is
given `{input, upstream: {name: output}}`; the agent's outputs are those of all of them. Where the
places of the lowered document stand in the workflow is kept, so that what is found wrong later is
told of the author's own lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from agentflow_dagster.spec.demands import litellm_model
from agentflow_dagster.spec.diagnostics import Diagnostic, error, nearest, pointer
from agentflow_dagster.spec.parse import parse_json, validated
from agentflow_dagster.spec.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.spec.values import JsonObject, JsonValue
    from agentflow_dagster.spec.workflow import WorkflowAgent, WorkflowTrigger

KIND = "Workflow"


@dataclass(frozen=True, slots=True)
class Lowered:
    """What a workflow stands for.

    Args:
        document: The agent's document; None where an error stands in the way.
        origins: Pointers into the workflow, by those into the document.
        diagnostics: What is wrong with the workflow, by its own pointers.
    """

    document: JsonObject | None
    origins: Mapping[str, str] = field(default_factory=dict[str, str])
    diagnostics: tuple[Diagnostic, ...] = ()

    def origin(self, place: str) -> str:
        """Where a place of the document stands in the workflow."""
        known = place
        while known and known not in self.origins:
            known = known.rpartition("/")[0]
        return self.origins[known] + place[len(known) :] if known else place


def is_workflow(document: Mapping[str, JsonValue]) -> bool:
    """Whether a document is one of `kind: Workflow`."""
    return document.get("kind") == KIND


def lowered(document: Mapping[str, JsonValue]) -> Lowered:
    """The agent of a workflow's document."""
    workflow = parse_workflow(document)
    if isinstance(workflow, tuple):
        return Lowered(None, diagnostics=workflow)
    found = (*_check_names(workflow), *_check_dependencies(workflow))
    if found:
        return Lowered(None, diagnostics=found)
    return _Lowering(workflow, document).done()


def parse_workflow(document: Mapping[str, JsonValue]) -> Workflow | tuple[Diagnostic, ...]:
    """Checks fields and types alone."""
    return parse_json(document) or validated(Workflow, document)


def node_name(agent_name: str) -> str:
    """The node of a workflow's agent: `ticket_classifier` of `ticket-classifier`."""
    return agent_name.replace("-", "_")


def _check_names(workflow: Workflow) -> Iterator[Diagnostic]:
    hint = "Give one of them another name."
    taken: dict[str, str] = {}
    for index, agent in enumerate(workflow.spec.agents):
        place = pointer("spec", "agents", index, "name")
        node = node_name(agent.name)
        if node not in taken:
            taken[node] = agent.name
        elif agent.name == taken[node]:
            message = f"Two agents are called {agent.name!r}."
            yield error("AF803", message, pointer=place, hint=hint)
        else:
            message = f"{agent.name!r} and {taken[node]!r} both become the node {node!r}."
            yield error("AF801", message, pointer=place, hint=hint)


def _check_dependencies(workflow: Workflow) -> Iterator[Diagnostic]:
    known = [agent.name for agent in workflow.spec.agents]
    after: dict[str, list[str]] = {}
    for index, agent in enumerate(workflow.spec.agents):
        for number, name in enumerate(agent.depends_on):
            place = pointer("spec", "agents", index, "dependsOn", number)
            if name in known:
                after.setdefault(agent.name, []).append(name)
            else:
                message = f"There is no agent {name!r} in this workflow."
                yield error("AF802", message, pointer=place, hint=nearest(name, known))
    if circle := _circle(known, after):
        index = known.index(circle[0])
        yield error(
            "AF804",
            f"The agents wait for each other: {' -> '.join(circle)}.",
            pointer=pointer("spec", "agents", index, "dependsOn"),
            hint="Take one of these out of its dependsOn.",
        )


def _circle(names: list[str], after: Mapping[str, list[str]]) -> tuple[str, ...]:
    """A circle of dependencies, first name repeated at its end; () where there is none."""
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter({name: after.get(name, []) for name in names}).prepare()
    except CycleError as problem:
        return tuple(cast("list[str]", problem.args[1]))
    return ()


class _Lowering:
    """One workflow on its way; `origins` is filled along with the document."""

    def __init__(self, workflow: Workflow, document: Mapping[str, JsonValue]) -> None:
        self._workflow = workflow
        self._given = document
        self._origins: dict[str, str] = {}

    def done(self) -> Lowered:
        given = cast("JsonObject", self._given["spec"])
        nodes = {
            node_name(agent.name): self._node(index, agent)
            for index, agent in enumerate(self._workflow.spec.agents)
        }
        spec: JsonObject = {
            # Whatever calls it decides what it is given, as long as it is an object.
            "inputs": {"type": "object", "additionalProperties": True},
            "triggers": self._triggers(),
            "nodes": cast("JsonObject", nodes),
            "outputs": {name: f"{{{{{name}.output}}}}" for name in nodes},
        }
        self._from(("spec", "outputs"), ("spec", "agents"))
        spec |= {name: given[name] for name in ("config", "llmRouting") if name in given}
        document: JsonObject = {
            "apiVersion": self._given["apiVersion"],
            "kind": "Agent",
            "metadata": self._given["metadata"],
            "spec": spec,
        }
        return Lowered(document, self._origins)

    def _node(self, index: int, agent: WorkflowAgent) -> JsonObject:
        name, there = node_name(agent.name), ("spec", "agents", index)
        here = ("spec", "nodes", name)
        self._from(here, there)
        self._from((*here, "with", "agent"), (*there, "image"))
        self._from((*here, "with", "input"), (*there, "dependsOn"))
        upstream = {node_name(one): f"{{{{{node_name(one)}.output}}}}" for one in agent.depends_on}
        run: JsonObject = {"input": "{{input}}", "upstream": cast("JsonObject", upstream)}
        node: JsonObject = {"kind": "agent.run", "with": {"agent": agent.image, "input": run}}
        if agent.depends_on:
            node["after"] = [node_name(one) for one in agent.depends_on]
            self._from((*here, "after"), (*there, "dependsOn"))
        if agent.llm is not None:
            model = {"model": litellm_model(agent.llm.provider, agent.llm.model)}
            said = agent.llm.model_dump(by_alias=True, exclude_unset=True)
            node["llm"] = {**said, **model}
            cast("JsonObject", node["llm"]).pop("provider", None)
        given = cast("JsonObject", cast("list[JsonValue]", self._agents())[index])
        node |= {one: given[one] for one in ("retry", "limits") if given.get(one) is not None}
        if agent.resources is not None:
            resources = dict(cast("JsonObject", given["resources"]))
            timeout = resources.pop("timeout", None)
            if timeout is not None:
                node["timeout"] = timeout
                self._from((*here, "timeout"), (*there, "resources", "timeout"))
            if resources:
                node["resources"] = resources
        return node

    def _triggers(self) -> JsonObject:
        named: JsonObject = {}
        for index, trigger in enumerate(self._workflow.spec.triggers):
            kind = "webhook" if trigger.webhook is not None else "schedule"
            name = kind if kind not in named else f"{kind}_{index + 1}"
            here, there = ("spec", "triggers", name), ("spec", "triggers", index)
            self._from(here, there)
            self._from((*here, "schedule", "cron"), (*there, "schedule"))
            self._from((*here, "schedule", "timezone"), (*there, "timezone"))
            named[name] = _trigger(trigger)
        return named

    def _agents(self) -> JsonValue:
        return cast("JsonObject", self._given["spec"])["agents"]

    def _from(self, here: tuple[str | int, ...], there: tuple[str | int, ...]) -> None:
        self._origins[pointer(*here)] = pointer(*there)


def _trigger(trigger: WorkflowTrigger) -> JsonObject:
    if trigger.webhook is not None:
        hook = trigger.webhook.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {"webhook": hook, "input": "{{event.body}}"}
    schedule: JsonObject = {"cron": trigger.schedule}
    if "timezone" in trigger.model_fields_set:
        schedule["timezone"] = trigger.timezone
    return {"schedule": schedule, "input": {"scheduled_at": "{{event.scheduled_at}}"}}
