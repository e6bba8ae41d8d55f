"""`logic.merge`: several ways become one again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import Field, StringConstraints

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes import merging
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value

NodeRef = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]


class MergeConfig(KindConfig):
    """The nodes whose outputs are taken, the preferred first, and what is made of them."""

    from_: tuple[NodeRef, ...] = Field(
        alias="from",
        min_length=1,
        max_length=1_000,
        description="Nodes whose outputs are taken; those that did not run are left out.",
    )
    strategy: Literal["first", "all", "concat", "object", "vote"] = Field(
        default="first",
        description=(
            "The output of the first node that ran; a list of all; lists or texts one after "
            "another; objects laid over each other, the last on top; or the value that most gave."
        ),
    )
    field: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = Field(
        default=None, description="Takes this field of each output, not the whole."
    )
    separator: str = Field(
        default="\n", max_length=1_000, description="What stands between texts that are joined."
    )


class Merge(Kind[MergeConfig]):
    """Gives one value of several, as `strategy` says; `vote` gives `{value, votes, of}`."""

    name = "logic.merge"
    summary = "Goes on with the first output there is, or with one value made of several."
    example = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: jury}
spec:
  inputs: {type: object, required: [text], properties: {text: {type: string}}}
  nodes:
    strict:
      kind: ai.classify
      with: {text: "{{input.text}}", labels: {spam: advertising, ham: anything else}}
    mild:
      kind: ai.classify
      with: {text: "{{input.text}}", labels: {spam: fraud and scams, ham: anything else}}
    verdict: {kind: logic.merge, with: {from: [strict, mild], strategy: vote, field: label}}
  outputs: {label: "{{verdict.output.value}}", votes: "{{verdict.output.votes}}"}
"""
    config = MergeConfig
    fixed = frozenset({"from", "strategy", "field"})

    def reads(self, config: RawConfig) -> tuple[str, ...]:
        named = config["from"]
        return tuple(cast("list[str]", named)) if isinstance(named, list) else ()

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        field = config.get("field")
        schemas = [upstream[name] for name in self.reads(config)]
        if isinstance(field, str):
            schemas = [properties(schema).get(field, {}) for schema in schemas]
        match config.get("strategy", "first"):
            case "all":
                return {"type": "array", "items": merging.any_of(schemas)}
            case "concat":
                return merging.concatenated_schema(schemas)
            case "object":
                return merging.overlaid_schema(schemas)
            case "vote":
                return merging.vote_schema(schemas)
            case _:
                return merging.any_of(schemas)

    async def run(self, context: NodeContext, config: MergeConfig) -> NodeResult:
        ran = {name: context.upstream[name] for name in config.from_ if name in context.upstream}
        if not ran:
            raise RunError(
                f"None of {', '.join(config.from_)} has an output for {context.node!r} to go on "
                "with.",
                hint="Name every node that may come before it under `from`.",
                retryable=False,
            )
        if config.field is not None:
            ran = {name: _field(name, value, config.field) for name, value in ran.items()}
        return NodeResult(_merged(ran, config))


def _merged(ran: Mapping[str, Value], config: MergeConfig) -> Value:
    match config.strategy:
        case "first":
            return next(iter(ran.values()))
        case "all":
            return list(ran.values())
        case "concat":
            return merging.concatenated(ran, separator=config.separator)
        case "object":
            return merging.overlaid(ran)
        case "vote":
            return merging.vote(ran)


def _field(name: str, value: Value, field: str) -> Value:
    if not isinstance(value, dict) or field not in value:
        raise RunError(
            f"The output of {name!r} has no field {field!r}.",
            hint="Correct `field`, or merge nodes whose outputs have it.",
            retryable=False,
        )
    return value[field]
