"""What a document demands of its surroundings that this release does not enforce."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.spec.diagnostics import Diagnostic, pointer, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.spec.document import Agent, Node
    from agentflow_dagster.spec.kind import Catalogue


def check_demands(agent: Agent, kinds: Catalogue) -> Iterator[Diagnostic]:
    """Warnings that name which of what is asked for is not in force."""
    if agent.spec.budget is not None:
        yield warning(
            "AF901",
            "`budget` is not enforced in this release.",
            pointer=pointer("spec", "budget"),
            hint="Set a limit with your provider.",
        )
    if agent.spec.llm_routing is not None:
        yield warning(
            "AF913",
            "`llmRouting` is not acted on in this release.",
            pointer=pointer("spec", "llmRouting"),
            hint="Name the model of each node in its `llm`.",
        )
    for name, node in agent.spec.nodes.items():
        if node.on_unknown is not None:
            yield warning(
                "AF903",
                "`onUnknown` is not acted on in this release.",
                pointer=pointer("spec", "nodes", name, "onUnknown"),
                hint="Make the call safe to repeat.",
            )
        if unenforced := _unenforced(node, kinds):
            yield warning(
                "AF911",
                f"`resources` of {name!r}: {_listed(unenforced)} not enforced here.",
                pointer=pointer("spec", "nodes", name, "resources"),
                hint="`resources.memory` is, where your code or a query runs.",
            )
        if node.limits is not None and node.limits.model_fields_set:
            yield warning(
                "AF912",
                f"`limits` of {name!r} are not enforced in this release.",
                pointer=pointer("spec", "nodes", name, "limits"),
                hint="Its `timeout` is.",
            )


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
