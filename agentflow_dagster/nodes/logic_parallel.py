"""`logic.parallel`: several bodies of nodes at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import AfterValidator, Field, StringConstraints

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.document import Body
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.bodies import BodyRun
    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value


def _free(branch: str) -> str:
    if branch == "errors":
        raise ValueError("'errors' is a field of the output; give the branch another name")
    return branch


Branch = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63), AfterValidator(_free)
]


class ParallelConfig(KindConfig):
    """The branches."""

    branches: dict[Branch, Body] = Field(
        min_length=1, max_length=100, description="Graphs of nodes, each with what it gives."
    )
    concurrency: int = Field(
        default=16, ge=1, le=100, description="How many branches are at work at a time."
    )
    on_branch_error: Literal["fail", "skip"] = Field(
        default="fail",
        description="Whether a branch that failed fails the node, or is told under `errors`.",
    )


class Parallel(Kind[ParallelConfig]):
    """Gives what each branch gives under its name, and `errors` by branch."""

    name = "logic.parallel"
    summary = "Runs several bodies of nodes at the same time."
    example = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: two-views}
spec:
  inputs: {type: object, required: [text], properties: {text: {type: string}}}
  nodes:
    views:
      kind: logic.parallel
      with:
        branches:
          short:
            nodes: {sum_up: {kind: ai.summarize, with: {text: "{{input.text}}", maxSentences: 2}}}
            outputs: {summary: "{{sum_up.output.summary}}"}
          mood:
            nodes:
              judge:
                kind: ai.classify
                with: {text: "{{input.text}}", labels: {glad: it pleases, angry: it annoys}}
            outputs: {label: "{{judge.output.label}}"}
  outputs: {summary: "{{views.output.short.summary}}", mood: "{{views.output.mood.label}}"}
"""
    config = ParallelConfig
    fixed = frozenset({"branches", "onBranchError"})

    def bodies(self, config: RawConfig) -> Mapping[str, tuple[str, ...]]:
        branches = config.get("branches")
        return {name: ("branches", name) for name in branches} if isinstance(branches, dict) else {}

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        branches = {name: upstream.get(name, {}) for name in self.bodies(config)}
        errors: JsonSchema = {"type": "object", "additionalProperties": {"type": "string"}}
        sure = [] if config.get("onBranchError") == "skip" else list(branches)
        return {
            "type": "object",
            "properties": {**branches, "errors": errors},
            "required": [*sure, "errors"],
        }

    async def run(self, context: NodeContext, config: ParallelConfig) -> NodeResult:
        free = asyncio.Semaphore(config.concurrency)
        runs: dict[str, BodyRun] = {}
        errors: dict[str, Value] = {}

        async def one(branch: str) -> None:
            async with free:
                try:
                    runs[branch] = await context.bodies.run(branch, None, {})
                except RunError as failure:
                    if config.on_branch_error == "fail":
                        raise
                    errors[branch] = str(failure)

        try:
            async with asyncio.TaskGroup() as group:
                for branch in config.branches:
                    group.create_task(one(branch))
        except* RunError as failures:
            raise failures.exceptions[0] from None
        done = {branch: runs[branch] for branch in config.branches if branch in runs}
        outputs = {branch: cast("Value", run.outputs) for branch, run in done.items()}
        return NodeResult(
            {**outputs, "errors": errors},
            usage=tuple(u for run in done.values() for u in run.usage),
            runs=tuple(r for run in done.values() for r in run.runs),
        )
