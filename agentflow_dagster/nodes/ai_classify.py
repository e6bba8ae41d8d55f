"""`ai.classify`: which of a few labels fits a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field, StringConstraints

from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value

Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class ClassifyConfig(KindConfig):
    """What to classify, and into what."""

    text: str = Field(description="The text to classify.")
    labels: dict[Label, str] = Field(
        min_length=2, max_length=100, description="Each label and what it stands for."
    )
    instructions: str = Field(default="", description="Anything more that the model should know.")


class Classify(Kind[ClassifyConfig]):
    """Gives `{label, confidence}`; the label is always one of `labels`."""

    name = "ai.classify"
    summary = "Says which of a few labels fits a text best."
    example = """\
topic:
  kind: ai.classify
  with:
    text: "{{input.body}}"
    labels:
      bug: something is broken
      howto: how to use it
      billing: money
"""
    config = ClassifyConfig
    prose = "text"
    uses = frozenset({"llm"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        labels = config["labels"]
        if not isinstance(labels, dict):
            return _schema(None)  # An expression: which they are is known when it runs.
        return _schema({name: str(said) for name, said in labels.items()})

    async def run(self, context: NodeContext, config: ClassifyConfig) -> NodeResult:
        labels = "\n".join(f"- {name}: {said}" for name, said in config.labels.items())
        system = (
            "Classify the user's text. Answer with the one label that fits best and how sure you "
            f"are, from 0 to 1.\n{labels}\n{config.instructions}"
        ).strip()
        reply = await context.model.complete(
            ModelRequest(
                messages=(Message("system", system), Message("user", config.text)),
                model=context.llm.model,
                output_schema=_schema(config.labels),
                temperature=0.0 if context.llm.temperature is None else context.llm.temperature,
                max_tokens=context.llm.max_tokens,
                timeout=context.timeout,
            )
        )
        return NodeResult(cast("Value", reply.output), usage=(reply.usage,))


def _schema(labels: Mapping[str, str] | None) -> JsonSchema:
    label: JsonSchema = {"type": "string"}
    if labels is not None:
        label = {"anyOf": [{"const": n, "description": said} for n, said in labels.items()]}
    return {
        "type": "object",
        "properties": {
            "label": label,
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        },
        "required": ["label", "confidence"],
        "additionalProperties": False,
    }
