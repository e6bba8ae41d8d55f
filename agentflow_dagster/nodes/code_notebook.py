"""`code.notebook`: a whole notebook, run with parameters in a kernel of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from agentflow_dagster.nodes.schema_field import SchemaField
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.notebooks import NotebookRequest
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.values import BYTES, Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value

EXECUTED = "notebook"
"""The field of the output that holds the notebook as it was executed."""


def _free(name: str) -> str:
    if name == EXECUTED:
        raise ValueError(f"{name!r} is the executed notebook; give the variable another name")
    return name


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=255)]
OutputName = Annotated[Name, AfterValidator(_free)]
NotebookPath = Annotated[
    str, StringConstraints(pattern=r"^[\w][\w .-]*(/[\w][\w .-]*)*\.ipynb$", max_length=255)
]


class NotebookConfig(KindConfig):
    """Which notebook, what it is given and what it must leave."""

    notebook: NotebookPath = Field(description="Its path below the folder `notebooks`.")
    parameters: dict[Name, JsonValue] = Field(
        default_factory=dict[str, Any],
        description="What its cell tagged `parameters` is overridden with.",
    )
    outputs: tuple[OutputName, ...] | dict[OutputName, SchemaField] = Field(
        default=(), description="Names that it leaves; a mapping gives each its JSON Schema."
    )


class Notebook(Kind[NotebookConfig]):
    """Gives an object with the names of `outputs`, and `notebook`: the notebook as executed."""

    name = "code.notebook"
    summary = "Runs a notebook with parameters."
    example = """\
report:
  kind: code.notebook
  with:
    notebook: invoice_check.ipynb
    parameters: {limit: 500}
    outputs: {total: {type: number}}
  timeout: 5m
"""
    config = NotebookConfig
    uses = frozenset({"memory"})
    fixed = frozenset({"notebook", "outputs"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        named = config.get("outputs")
        known: dict[str, JsonSchema] = {}
        if isinstance(named, dict):
            known = cast("dict[str, JsonSchema]", named)
        elif isinstance(named, list):
            known = {str(name): {} for name in named}
        known = {**known, EXECUTED: {}}
        return {"type": "object", "properties": known, "required": list(known)}

    async def run(self, context: NodeContext, config: NotebookConfig) -> NodeResult:
        request = NotebookRequest(
            notebook=config.notebook,
            parameters=config.parameters,
            outputs=tuple(config.outputs),
            timeout=context.timeout,
            **({"memory_bytes": context.memory_bytes} if context.memory_bytes else {}),
        )
        done = await context.notebooks.run(request)
        executed = Part(BYTES, done.executed, {"bytes": len(done.executed)})
        output: dict[str, Value] = {**done.outputs, EXECUTED: executed}
        return NodeResult(output)
