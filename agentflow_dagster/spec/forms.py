"""The forms in which an agent's document is written, read into the one that everything else knows.

A notebook is read by `notebook`; this is for text: YAML and JSON, of `kind: Agent` or
`kind: Workflow`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow_dagster.spec.diagnostics import Diagnostic, Position, has_errors
from agentflow_dagster.spec.lowering import Lowered, is_workflow, lowered
from agentflow_dagster.spec.migrations import migrated
from agentflow_dagster.spec.yaml_reader import YamlSource, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import JsonObject


@dataclass(frozen=True, slots=True)
class AgentSource:
    """What a text says.

    Args:
        document: The agent's document; None where an error stands in the way.
        positions: The place of every pointer into what the author wrote.
        diagnostics: What is wrong with it, by pointers into what the author wrote.
        written: The document as its author wrote it, not lowered.
        lowering: How a workflow became the document; its `origin` leads back.
        text: What stands in the file; "" where it was not kept, or cannot be read.
    """

    document: JsonObject | None
    positions: Mapping[str, Position]
    diagnostics: tuple[Diagnostic, ...] = ()
    written: JsonObject | None = None
    lowering: Lowered = field(default_factory=lambda: Lowered(None))
    text: str = ""


def read_text(text: str) -> AgentSource:
    """Reads YAML or JSON. Never raises: what is wrong is in `diagnostics`."""
    return as_agent(read_yaml(text))


def as_agent(source: YamlSource) -> AgentSource:
    """The agent that a text's document is, or that its workflow stands for."""
    written, found = source.document, source.diagnostics
    if written is None or has_errors(found):
        return AgentSource(written, source.positions, found, written)
    written = migrated(written)
    if not is_workflow(written):
        return AgentSource(written, source.positions, found, written)
    lowering = lowered(written)
    told = (*found, *lowering.diagnostics)
    return AgentSource(lowering.document, source.positions, told, written, lowering)
