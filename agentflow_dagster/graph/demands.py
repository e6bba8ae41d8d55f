"""What a document demands of its surroundings that nothing enforces, or that never comes about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.spec.demands import Needs
from agentflow_dagster.spec.diagnostics import Diagnostic, nearest, pointer, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.spec.document import Agent, Node
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature


def check_demands(agent: Agent, kinds: Catalogue) -> Iterator[Diagnostic]:
    """Warnings that name which of what is asked for is not in force."""
    yield from _unknown_conditions(agent)
    for name, node in agent.spec.nodes.items():
        kind = kinds.get(node.kind)
        if node.on_unknown is not None and kind is not None and is_repeatable(node, kind):
            yield warning(
                "AF904",
                f"`onUnknown` means nothing for {name!r}: it goes on where it was.",
                pointer=pointer("spec", "nodes", name, "onUnknown"),
                hint="Set it on nodes that change something outside; in a body, on the body's.",
            )
        if unenforced := _unenforced(node, kinds):
            yield warning(
                "AF911",
                f"`resources` of {name!r}: {_listed(unenforced)} not enforced here.",
                pointer=pointer("spec", "nodes", name, "resources"),
                hint="`resources.memory` is, where your code or a query runs.",
            )
        if node.limits is not None and node.limits.model_fields_set - {"llm_calls"}:
            yield warning(
                "AF912",
                f"`limits` of {name!r}: only `llmCalls` is enforced in this release.",
                pointer=pointer("spec", "nodes", name, "limits"),
                hint="Its `timeout` is, too.",
            )


def _unknown_conditions(agent: Agent) -> Iterator[Diagnostic]:
    """Conditions of the routing that no call ever meets."""
    routing = agent.spec.llm_routing
    known = Needs.words()
    for number, rule in enumerate(routing.fallbacks if routing else ()):
        for place, condition in enumerate(rule.conditions):
            for name, word in condition.items():
                if word in known.get(name, ()):
                    continue
                at = pointer("spec", "llmRouting", "fallbacks", number, "conditions", place)
                yield warning(
                    "AF913",
                    f"No call ever has `{name}: {word}`.",
                    pointer=at,
                    hint=nearest(word, known[name]) if name in known else nearest(name, known),
                )


def is_repeatable(node: Node, kind: KindSignature[KindConfig]) -> bool:
    """Whether another attempt of a node goes on where the last one ended, however it did: what it
    does are steps inside it, or it waits."""
    return kind.may_wait(node.with_) or bool(kind.bodies(node.with_))


def _unenforced(node: Node, kinds: Catalogue) -> list[str]:
    """The resources asked for that nothing holds the node to."""
    if node.resources is None:
        return []
    asked = node.resources.model_dump(exclude_none=True)
    kind = kinds.get(node.kind)
    in_force = {"memory"} if kind is not None and "memory" in kind.uses else set[str]()
    return [name for name in asked if name not in in_force]


def _listed(names: list[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
