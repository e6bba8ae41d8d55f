"""`logic.loop`: a body of nodes, run for each item of a list, or as long as a condition holds."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.arrow_values import frame_of
from agentflow_dagster.spec.document import Body
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.values import TABLE, Part, pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.bodies import BodyRun
    from agentflow_dagster.ports.model import Usage
    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]


def _goes_over(value: object) -> object:
    if isinstance(value, list) or (isinstance(value, Part) and value.media_type == TABLE):
        return cast("object", value)
    raise ValueError("input should be a list or a table")


Items = Annotated[Any, AfterValidator(_goes_over), WithJsonSchema({"type": "array"})]


Condition = Annotated[str, WithJsonSchema({"type": "boolean"})]


class LoopConfig(KindConfig):
    """Either `over`, or `while` with `state`, `next` and `maxIterations`."""

    body: Body = Field(description="The nodes that are repeated, and what each round gives.")
    over: Items = Field(
        default=None, description="A list, or a table, whose items the body is run for."
    )
    as_: Name = Field(default="item", alias="as", description="What the body calls an item.")
    concurrency: int = Field(
        default=4, ge=1, le=100, description="How many items are at work at a time."
    )
    max_items: int = Field(default=1_000, ge=1, le=100_000, description="More items are an error.")
    on_item_error: Literal["fail", "skip"] = Field(
        default="fail",
        description="Whether an item whose body failed fails the loop, or is told under `errors`.",
    )
    while_: Condition | None = Field(
        default=None, alias="while", description="`{{ }}` that is read before every round."
    )
    state: JsonValue = Field(default=None, description="What `state` is in the first round.")
    next_: JsonValue = Field(
        default=None,
        alias="next",
        description="What `state` becomes after a round; it reads the body's nodes.",
    )
    max_iterations: int | None = Field(
        default=None, ge=1, le=10_000, description="More rounds are an error."
    )

    @model_validator(mode="after")
    def _one_form(self) -> LoopConfig:
        given = self.model_fields_set
        if ("over" in given) == ("while_" in given):
            raise ValueError("give either `over` or `while`")
        if "while_" in given and self.max_iterations is None:
            raise ValueError("a `while` loop needs `maxIterations`, so that it ends")
        if "while_" in given and "next_" not in given:
            raise ValueError("a `while` loop needs `next`: what `state` becomes after a round")
        other = {"state", "next_", "max_iterations"} if "over" in given else _OF_ITEMS
        if strays := other & given:
            names = ", ".join(sorted(name.rstrip("_") for name in strays))
            raise ValueError(f"{names} belongs to the other form of loop")
        return self


_OF_ITEMS = {"as_", "concurrency", "max_items", "on_item_error"}


class Loop(Kind[LoopConfig]):
    """Gives `{items, errors}` of a list, in its order, or `{state, iterations}` of a `while`."""

    name = "logic.loop"
    summary = "Runs a body of nodes for each item, or while a condition holds."
    example = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: replies}
spec:
  inputs:
    type: object
    required: [tickets]
    properties: {tickets: {type: array, items: {type: string}}}
  nodes:
    each:
      kind: logic.loop
      with:
        over: "{{input.tickets}}"
        as: ticket
        concurrency: 8
        body:
          nodes:
            draft: {kind: ai.chat, with: {prompt: "Reply to this ticket: {{ticket}}"}}
          outputs: {ticket: "{{ticket}}", reply: "{{draft.output.text}}"}
  outputs: {replies: "{{each.output.items}}"}
  budget: {perRunUsd: 0.50}
"""
    config = LoopConfig
    fixed = frozenset({"as", "body", "maxIterations"})
    inner = MappingProxyType({"while": "before", "next": "after"})

    def bodies(self, config: RawConfig) -> Mapping[str, tuple[str, ...]]:
        return {"body": ("body",)}

    def body_names(
        self, config: RawConfig, body: str, types: Mapping[str, JsonSchema]
    ) -> Mapping[str, JsonSchema]:
        index: JsonSchema = {"type": "integer"}
        if "while" in config:
            return {"state": types.get("state", {}), "index": index}
        items = types.get("over", {}).get("items")
        item = cast("JsonSchema", items) if isinstance(items, dict) else {}
        return {str(config.get("as", "item")): item, "index": index}

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        if "while" in config:
            return _object(state={}, iterations={"type": "integer"})
        error = _object(index={"type": "integer"}, message={"type": "string"})
        return _object(
            items={"type": "array", "items": upstream.get("body", {})},
            errors={"type": "array", "items": error},
        )

    async def run(self, context: NodeContext, config: LoopConfig) -> NodeResult:
        if config.while_ is not None:
            return await _while(context, config, config.while_)
        items = _items(config.over)
        if len(items) > config.max_items:
            raise RunError(
                f"{context.node!r} was given {len(items):,} items; its `maxItems` is "
                f"{config.max_items:,}.",
                hint="Raise `maxItems`, or give it fewer.",
                retryable=False,
            )
        return await _for_each(context, config, items)


async def _for_each(context: NodeContext, config: LoopConfig, items: list[Value]) -> NodeResult:
    free = asyncio.Semaphore(config.concurrency)
    runs: dict[int, BodyRun] = {}
    errors: dict[int, Value] = {}

    async def one(index: int, item: Value) -> None:
        async with free:
            try:
                runs[index] = await context.bodies.run(
                    "body", index, {config.as_: item, "index": index}
                )
            except RunError as failure:
                if config.on_item_error == "fail":
                    raise
                errors[index] = {"index": index, "message": str(failure)}

    try:
        async with asyncio.TaskGroup() as group:
            for index, item in enumerate(items):
                group.create_task(one(index, item))
    except* RunError as failures:
        raise failures.exceptions[0] from None
    done = [runs[index] for index in sorted(runs)]
    output: dict[str, Value] = {
        "items": [run.outputs for run in done],
        "errors": [errors[index] for index in sorted(errors)],
    }
    return NodeResult(
        output,
        usage=tuple(u for run in done for u in run.usage),
        runs=tuple(r for run in done for r in run.runs),
    )


async def _while(context: NodeContext, config: LoopConfig, condition: str) -> NodeResult:
    state = cast("Value", config.state)
    usage: list[Usage] = []
    runs: list[str] = []
    index = 0
    while _holds(context, condition, {"state": state, "index": index}):
        if index == config.max_iterations:
            raise RunError(
                f"{context.node!r} is not done after {index:,} rounds.",
                hint="Raise `maxIterations`, or see why its `while` stays true.",
                retryable=False,
            )
        names: dict[str, Value] = {"state": state, "index": index}
        done = await context.bodies.run("body", index, names)
        usage += done.usage
        runs += done.runs
        state = context.bodies.evaluate(config.next_, {**names, **done.nodes})
        index += 1
    told: dict[str, Value] = {"state": state, "iterations": index}
    return NodeResult(told, usage=tuple(usage), runs=tuple(runs))


def _holds(context: NodeContext, condition: str, names: Mapping[str, Value]) -> bool:
    value = context.bodies.evaluate(condition, names)
    if isinstance(value, bool):
        return value
    raise RunError(
        f"The `while` of {context.node!r} is {value!r}, neither true nor false: {condition}",
        hint="Compare it with something.",
        retryable=False,
    )


def _items(over: list[Value] | Part) -> list[Value]:
    if isinstance(over, Part):
        return cast("list[Value]", pack(frame_of(over).to_dict(orient="records")))
    return over


def _object(**properties: JsonSchema) -> JsonSchema:
    return {"type": "object", "properties": properties, "required": list(properties)}
