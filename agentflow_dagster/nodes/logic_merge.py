"""`logic.merge`: several ways become one again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field, StringConstraints

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema

NodeRef = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]


class MergeConfig(KindConfig):
    """The nodes whose outputs are taken, the preferred first."""

    from_: tuple[NodeRef, ...] = Field(alias="from", min_length=1, max_length=1_000)


class Merge(Kind[MergeConfig]):
    """Gives the output of the first node of `from` that ran."""

    name = "logic.merge"
    summary = "Goes on with the output of the first node that ran."
    config = MergeConfig
    fixed = frozenset({"from"})

    def reads(self, config: RawConfig) -> tuple[str, ...]:
        named = config["from"]
        return tuple(cast("list[str]", named)) if isinstance(named, list) else ()

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        schemas: list[JsonSchema] = []
        for name in self.reads(config):
            if upstream[name] not in schemas:
                schemas.append(upstream[name])
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    async def run(self, context: NodeContext, config: MergeConfig) -> NodeResult:
        for name in config.from_:
            if name in context.upstream:
                return NodeResult(context.upstream[name])
        raise RunError(
            f"None of {', '.join(config.from_)} has an output for {context.node!r} to go on with.",
            hint="Name every node that may come before it under `from`.",
            retryable=False,
        )
