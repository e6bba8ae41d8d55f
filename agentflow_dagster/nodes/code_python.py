"""`code.python`: the author's own Python, run apart from this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field, StringConstraints

from agentflow_dagster.nodes.schema_field import SchemaField
from agentflow_dagster.ports.code import CodeRequest
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.units import Quantity, quantity_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, JsonValue


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=255)]


class PythonConfig(KindConfig):
    """The code, what it is given and what it must leave."""

    code: str = Field(max_length=200_000, description="Python statements.")
    inputs: dict[Name, Any] = Field(
        default_factory=dict[str, Any], description="Names that the code finds defined."
    )
    outputs: tuple[Name, ...] | dict[Name, SchemaField] = Field(
        default=(), description="Names that the code leaves; a mapping gives each its JSON Schema."
    )
    memory: Quantity = Field(default="1Gi", description="Most memory beyond the bare interpreter.")


class Python(Kind[PythonConfig]):
    """Gives an object with the names of `outputs`."""

    name = "code.python"
    summary = "Runs the author's own Python with limits on time and memory."
    example = """\
total:
  kind: code.python
  with:
    inputs: {prices: "{{input.prices}}"}
    code: |
      total = round(sum(prices), 2)
      highest = max(prices)
    outputs: {total: {type: number}, highest: {type: number}}
"""
    config = PythonConfig
    uses = frozenset({"code", "memory"})
    fixed = frozenset({"outputs"})
    programs = frozenset({"code"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        named = config.get("outputs")
        known: dict[str, JsonSchema] = {}
        if isinstance(named, dict):
            known = cast("dict[str, JsonSchema]", named)
        elif isinstance(named, list):
            known = {str(name): {} for name in cast("list[JsonValue]", named)}
        return {"type": "object", "properties": known, "required": list(known)}

    async def run(self, context: NodeContext, config: PythonConfig) -> NodeResult:
        done = await context.code.run(
            CodeRequest(
                source=config.code,
                setup=context.setup,
                inputs=config.inputs,
                outputs=tuple(config.outputs),
                filename=f"<node {context.node}>",
                timeout=context.timeout,
                memory_bytes=_memory(context, config),
            )
        )
        return NodeResult(dict(done.outputs), log=done.stdout)


def _memory(context: NodeContext, config: PythonConfig) -> int:
    """The lower of what its config and the node's resources say, where both do."""
    own = quantity_bytes(config.memory)
    if context.memory_bytes is None:
        return own
    return (
        min(own, context.memory_bytes)
        if "memory" in config.model_fields_set
        else context.memory_bytes
    )
