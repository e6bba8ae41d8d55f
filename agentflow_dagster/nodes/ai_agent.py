"""`ai.agent`: a model that calls tools until it has its answer."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from agentflow_dagster.nodes.asking_people import Person
from agentflow_dagster.nodes.pictures import MOST, PICTURES, Picture, images
from agentflow_dagster.nodes.schema_field import ObjectSchemaField
from agentflow_dagster.nodes.tool_loop import ANSWER, Bounds, Consent, Tool, ToolLoop
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.spec.document import Body
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.units import Duration, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.model import Image
    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value

_NO_ARGUMENTS: JsonSchema = {"type": "object", "properties": {}, "additionalProperties": False}


def _free(name: str) -> str:
    if name == "body":
        raise ValueError("a tool cannot be called 'body'; give it the name of what it does")
    return name


ToolName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63), AfterValidator(_free)
]


class ToolConfig(Body):
    """A graph of nodes that the model may have run."""

    description: Annotated[str, StringConstraints(min_length=1, max_length=10_000)] = Field(
        description="When to call it, and what it gives; the model reads it."
    )
    parameters: ObjectSchemaField = Field(
        default_factory=lambda: dict(_NO_ARGUMENTS),
        description="JSON Schema of its arguments, which its nodes read as `args`.",
    )


class AgentConfig(KindConfig):
    """What is asked, and by which tools it may be found out."""

    prompt: str = Field(min_length=1, description="What the user says.")
    system: str = Field(
        default="", description="How the model should behave, and what it should know."
    )
    images: tuple[Picture, ...] = Field(default=(), max_length=MOST, description=PICTURES)
    tools: dict[ToolName, ToolConfig] = Field(
        min_length=1, max_length=64, description="What the model may call, by name."
    )
    schema_: ObjectSchemaField | None = Field(
        default=None,
        alias="schema",
        description="JSON Schema of the answer, which is then an object; else it is text.",
    )
    max_steps: int = Field(default=10, ge=1, le=100, description="Most calls of the model.")
    max_tool_calls: int = Field(default=50, ge=1, le=1_000, description="Most calls of tools.")
    on_limit: Literal["fail", "answer"] = Field(
        default="fail",
        description="`answer` has the last model call answer with what there is, without tools.",
    )
    on_tool_error: Literal["tell", "fail"] = Field(
        default="tell",
        description="Whether a tool that fails is told to the model, or fails the node.",
    )
    max_tool_output: int = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        description="Bytes of a tool's answer that the model reads; the rest is cut.",
    )
    approve: Literal["never", "tainted", "always"] = Field(
        default="never",
        description="Whether a person is asked before a tool runs that changes something outside; "
        "`tainted`: once the model has read an answer of a tool.",
    )
    people: tuple[Person, ...] = Field(
        default=(), max_length=100, description="Who may approve; where none is named, anyone may."
    )
    deadline: Duration | None = Field(
        default=None,
        description="How long they have; then the call is not made, and the model is told so.",
    )

    @model_validator(mode="after")
    def _sound(self) -> AgentConfig:
        if self.schema_ is not None and ANSWER in self.tools:
            raise ValueError(f"with a `schema`, the answer is a tool {ANSWER!r}: rename yours")
        if self.approve == "never" and (self.people or self.deadline):
            raise ValueError("`people` and `deadline` are for `approve: tainted` or `always`")
        return self

    def tool_list(self) -> list[Tool]:
        """As the loop has them."""
        return [Tool(n, tool.description, tool.parameters) for n, tool in self.tools.items()]

    def bounds(self) -> Bounds:
        """How long it may go on."""
        return Bounds(self.max_steps, self.max_tool_calls, self.on_limit, self.max_tool_output)

    def consent(self) -> Consent:
        """Who is asked before a tool runs."""
        limit = seconds(self.deadline) if self.deadline else None
        return Consent(self.approve, self.people, limit)


class Agent(Kind[AgentConfig]):
    """Gives `{text, steps}`, or with a `schema` `{answer, steps}`. `steps` has each tool call with
    its arguments and its `output` or `error`.

    Each call of the model and of a tool is kept once it is done: another attempt, or a run that
    goes on after a crash, makes none of them again.
    """

    name = "ai.agent"
    summary = "Has a model call tools, which are graphs of nodes, until it has its answer."
    example = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: order-desk}
spec:
  inputs: {type: object, required: [question], properties: {question: {type: string}}}
  env: [SHOP]
  nodes:
    helper:
      kind: ai.agent
      with:
        system: You answer customers of a shop. Look up what you do not know.
        prompt: "{{input.question}}"
        maxSteps: 6
        schema:
          type: object
          required: [reply, refund]
          properties: {reply: {type: string}, refund: {type: boolean}}
        tools:
          find_order:
            description: Finds an order by its number, and says where it is.
            parameters:
              type: object
              required: [number]
              properties: {number: {type: string, description: "such as A-1042"}}
            nodes:
              get:
                kind: tool.http
                timeout: 20s
                with: {url: "{{env.SHOP}}/orders/{{args.number}}"}
            outputs: {order: "{{get.output.body}}"}
  outputs: {reply: "{{helper.output.answer.reply}}"}
"""
    config = AgentConfig
    prose = "prompt"
    uses = frozenset({"llm"})
    keeps_calls = True
    fixed = frozenset({"tools", "schema", "approve"})

    def bodies(self, config: RawConfig) -> Mapping[str, tuple[str, ...]]:
        tools = config.get("tools")
        return {name: ("tools", name) for name in tools} if isinstance(tools, dict) else {}

    def body_names(
        self, config: RawConfig, body: str, types: Mapping[str, JsonSchema]
    ) -> Mapping[str, JsonSchema]:
        tool = cast("dict[str, Any]", config["tools"])[body]
        return {"args": tool.get("parameters", _NO_ARGUMENTS)}

    def may_wait(self, config: RawConfig) -> bool:
        return config.get("approve", "never") != "never"

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        names = list(self.bodies(config))
        step: JsonSchema = {
            "type": "object",
            "properties": {
                "tool": {"type": "string"},
                "arguments": {"type": "object"},
                "output": upstream.get(names[0], {}) if len(names) == 1 else {},
                "error": {"type": "string"},
            },
            "required": ["tool", "arguments"],
        }
        text: JsonSchema = {"type": "string"}
        answer = {"answer": config["schema"]} if config.get("schema") else {"text": text}
        return {
            "type": "object",
            "properties": {**answer, "steps": {"type": "array", "items": step}},
            "required": [*answer, "steps"],
        }

    async def run(self, context: NodeContext, config: AgentConfig) -> NodeResult:
        # A second or two when the first one runs, in which other runs go on.
        converse = await asyncio.to_thread(import_module, _CONVERSE)
        loop = await ToolLoop.begin(
            context,
            _request(context, config, await images(context, config.images)),
            config.tool_list(),
            bounds=config.bounds(),
            schema=config.schema_,
            consent=config.consent(),
            fails=config.on_tool_error == "fail",
        )
        await converse.converse(loop, context.model)
        done = loop.outcome()
        answer = {"text": done.text} if config.schema_ is None else {"answer": done.answer}
        output = cast("dict[str, Value]", {**answer, "steps": [*done.steps]})
        return NodeResult(output, usage=done.usage, runs=done.runs)


_CONVERSE = "agentflow_dagster.nodes.tool_loop.converse"


def _request(context: NodeContext, config: AgentConfig, shown: tuple[Image, ...]) -> ModelRequest:
    system = (Message("system", config.system),) if config.system else ()
    return ModelRequest(
        messages=(*system, Message("user", config.prompt, shown)),
        model=context.llm.model,
        temperature=context.llm.temperature,
        max_tokens=context.llm.max_tokens,
        timeout=context.timeout,
        needs=context.llm.needs,
        # Each turn says again all that was said before.
        prompt_cache=context.llm.prompt_cache is not False,
    )
