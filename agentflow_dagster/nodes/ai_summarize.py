"""`ai.summarize`: a text made short, within bounds that hold whoever the model is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from pydantic import Field

from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

_ASKED = {
    "paragraph": "Summarize the user's text in plain prose.",
    "bullets": "Summarize the user's text as points, one sentence each.",
    "headline": "Summarize the user's text in one headline.",
}


class SummarizeConfig(KindConfig):
    """What to make short, and how short."""

    text: str = Field(min_length=1, max_length=1_000_000, description="The text to summarize.")
    max_sentences: int = Field(
        default=3, ge=1, le=50, description="Most sentences, or points where the style is bullets."
    )
    max_words: int | None = Field(
        default=None, ge=5, le=2_000, description="Most words; what is longer is cut."
    )
    style: Literal["paragraph", "bullets", "headline"] = Field(
        default="paragraph",
        description="Prose; lines that each begin with `- `; or one line of at most 12 words.",
    )
    instructions: str = Field(
        default="", max_length=20_000, description="Anything more that the model should know."
    )


class Summarize(Kind[SummarizeConfig]):
    """Gives `{summary}`."""

    name = "ai.summarize"
    summary = "Makes a text short."
    example = """\
short:
  kind: ai.summarize
  with:
    text: "{{input.body}}"
    maxSentences: 2
    maxWords: 60
"""
    config = SummarizeConfig
    prose = "text"
    uses = frozenset({"llm"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        return {
            "type": "object",
            "properties": {"summary": {"type": "string"}},
            "required": ["summary"],
        }

    async def run(self, context: NodeContext, config: SummarizeConfig) -> NodeResult:
        field, schema = _asked_for(config)
        instructions = f"\n\nInstructions: {config.instructions}" if config.instructions else ""
        reply = await context.model.complete(
            ModelRequest(
                messages=(
                    Message("system", f"{_ASKED[config.style]}{instructions}"),
                    Message("user", config.text),
                ),
                model=context.llm.model,
                output_schema={
                    "type": "object",
                    "properties": {field: schema},
                    "required": [field],
                    "additionalProperties": False,
                },
                temperature=context.llm.temperature,
                max_tokens=context.llm.max_tokens,
                timeout=context.timeout,
            )
        )
        given = cast("dict[str, JsonValue]", reply.output)[field]
        return NodeResult({"summary": _kept(given, config)}, usage=(reply.usage,))


def _asked_for(config: SummarizeConfig) -> tuple[str, JsonSchema]:
    """The field that the model fills, and its schema: the bounds stand there for it to read."""
    words = f", at most {config.max_words} words in all" if config.max_words else ""
    match config.style:
        case "bullets":
            return "summary", {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "maxItems": config.max_sentences,
                "description": f"The main points{words}.",
            }
        case "headline":
            return "headline", {"type": "string", "description": "One line of at most 12 words."}
        case _:
            least = f"At most {config.max_sentences} sentences{words}."
            return "summary", {"type": "string", "description": least}


def _kept(given: JsonValue, config: SummarizeConfig) -> str:
    """What was given, within the bounds: a model may not have kept to them."""
    left = config.max_words or 2_000
    if config.style == "headline":
        left = min(left, 12)
    lines = [str(line) for line in given] if isinstance(given, list) else [str(given)]
    kept: list[str] = []
    for line in lines[: config.max_sentences]:
        if left <= 0:
            break
        said = line.split()
        kept.append(line.strip() if len(said) <= left else f"{' '.join(said[:left])} …")
        left -= len(said)
    if config.style == "bullets":
        return "\n".join(f"- {' '.join(line.split())}" for line in kept)
    return kept[0] if kept else ""
