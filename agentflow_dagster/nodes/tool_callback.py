"""`tool.callback`: asks another system, and waits until that calls back."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import Field, JsonValue

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.schema_field import SchemaField
from agentflow_dagster.nodes.tool_http import HttpConfig, call
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.waits import Asked
from agentflow_dagster.spec.units import Duration, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value


class CallbackConfig(HttpConfig):
    """The call that says where to answer, and the answer that is waited for."""

    schema_: SchemaField = Field(
        default_factory=dict[str, JsonValue],
        alias="schema",
        description="JSON Schema of the answer; another is refused with 422.",
    )
    deadline: Duration | None = Field(
        default=None, description="How long to wait; without it, as long as it takes."
    )
    default: JsonValue = Field(
        default=None, description="The answer at the `deadline`; without it the step fails then."
    )


class Callback(Kind[CallbackConfig]):
    """Gives the body that was posted to `run.callback_url`, which its config tells to whom it asks.

    The call is made once, with an `Idempotency-Key`; then the run waits without a process. Whoever
    knows the URL may answer, once.
    """

    name = "tool.callback"
    summary = "Calls an HTTP API that answers later, at a URL of its own."
    example = """\
render:
  kind: tool.callback
  with:
    method: POST
    url: "{{env.RENDERER}}/jobs"
    json: {text: "{{input.body}}", answer_to: "{{run.callback_url}}"}
    schema: {type: object, required: [file], properties: {file: {type: string}}}
    deadline: 2h
"""
    config = CallbackConfig
    effects = "external"
    outside = True
    waits = True
    called_back = True
    fixed = frozenset({"schema"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        schema = config.get("schema")
        return cast("JsonSchema", schema) if isinstance(schema, dict) else {}

    async def run(self, context: NodeContext, config: CallbackConfig) -> NodeResult:
        asked = Asked(
            "callback",
            {"schema": config.schema_},
            due=seconds(config.deadline) if config.deadline else None,
            token=context.callback_token,
        )
        await context.waits.ask(asked)

        async def request() -> Value:
            return {"status": (await call(context, config))["status"]}

        await context.sub_steps.once("request", request)
        answer = await context.waits.answer(asked)
        if answer.in_time:
            return NodeResult(answer.value)
        if config.default is None:
            raise RunError(
                f"Nobody has called {context.path!r} back within {config.deadline}.",
                hint="Give it longer, or a `default`.",
                retryable=False,
            )
        return NodeResult(cast("Value", config.default))
