"""Which nodes a run does itself, and which values it sees: its own, or those that stand in.

A run of "materialize selected", or one that was re-executed from a failure, does some of an agent's
nodes. The values of the others are those of the runs it builds on. A value that stands in is seen
only as long as the way to its node is still taken: where a switch goes another way now, what the
old way put out is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentflow_dagster.engine.reach import left_by, reaches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.graph.plan import Plan, PlanStep
    from agentflow_dagster.graph.topology import Edge
    from agentflow_dagster.ports.stores import StepOutput


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run was asked for.

    Args:
        steps: Nodes whose steps are in it, the pulled-in ones too.
        assets: The agent's assets; its other nodes cannot be selected.
        selected: Assets that it was asked to make.
    """

    steps: frozenset[str]
    assets: frozenset[str]
    selected: frozenset[str]

    @property
    def whole(self) -> bool:
        """Whether it was asked for all of the agent's assets."""
        return self.selected == self.assets

    def asks_for(self, node: str) -> bool:
        """Whether a node is selected, or stands between nodes and cannot be."""
        return node in self.steps and (node in self.selected or node not in self.assets)


@dataclass(frozen=True, slots=True)
class Footing:
    """Where a run stands.

    Args:
        does: Nodes that it does itself; any other of its steps only leaves by the port that it left
            by in the run that stands in.
        outputs: What it sees, by node.
    """

    does: frozenset[str]
    outputs: Mapping[str, StepOutput]

    def reaches(self, step: PlanStep) -> bool:
        """Whether the step's edges let it run, as far as its parents have run."""
        return reaches(step, self.outputs)

    def stands_in_for(self, plan: Plan) -> list[str]:
        """Nodes that its own wait for and that it does not do itself."""
        return sorted({e.source for e in self._borrowed(plan)})

    def finds(self, plan: Plan) -> Literal["all", "some", "nothing"]:
        """How many of its own nodes that wait for others' values have them.

        `some` is as much as two ways of one switch can ever have.
        """
        borrowed = [edge for edge in self._borrowed(plan) if edge.role == "required"]
        if any(edge.source not in self.outputs for edge in borrowed):
            return "nothing"
        lacking = {edge.target for edge in borrowed if not left_by(edge, self.outputs)}
        if not lacking:
            return "all"
        return "some" if lacking < self.does else "nothing"

    def _borrowed(self, plan: Plan) -> list[Edge]:
        return [
            edge
            for step in plan.steps
            if step.name in self.does
            for edge in step.edges
            if edge.source not in self.does
        ]


def is_closed(plan: Plan, scope: Scope) -> bool:
    """Whether no node of the scope waits for one outside, or for one that was not selected."""
    done = {s.name for s in plan.steps if scope.asks_for(s.name)}
    return all(e.source in done for s in plan.steps if s.name in done for e in s.edges)


def footing(
    plan: Plan,
    scope: Scope,
    own: Mapping[str, StepOutput],
    built_on: Sequence[Mapping[str, StepOutput]],
) -> Footing:
    """Where a run stands.

    Args:
        plan: The agent.
        scope: What it was asked for.
        own: What it has put out so far.
        built_on: Outputs of the runs it builds on, the nearest first; empty where it stands alone.
    """
    does: set[str] = set()
    touched = {name for nearer in built_on[:-1] for name in nearer}
    outputs: dict[str, StepOutput] = {}
    for step in plan.steps:
        name = step.name
        after_new = any(e.source in touched for e in step.edges)
        # A node that only chooses a way cannot be selected: it is done anew where it has news.
        free = scope.whole or not built_on or after_new
        if scope.asks_for(name) and (name in scope.assets or free):
            does.add(name)
            found = own.get(name)
        else:
            found = next((layer[name] for layer in built_on if name in layer), None)
            if found is not None and after_new and not reaches(step, outputs):
                found = None
        if found is not None:
            outputs[name] = found
        if name in does or after_new:
            touched.add(name)
    return Footing(frozenset(does), outputs)
