"""`transform.format`: a text out of a template and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from agentflow_dagster.nodes.apart import done_apart
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=255)]


class FormatConfig(KindConfig):
    """The template, and what it is filled with."""

    template: str = Field(
        min_length=1,
        max_length=200_000,
        description="A Jinja template. It is taken as it stands: values come in by `values`.",
    )
    values: dict[Name, Any] = Field(
        default_factory=dict[str, Any],
        max_length=1_000,
        description="Names that the template knows; a table is a list of its rows there.",
    )
    escape: Literal["none", "html"] = Field(
        default="none", description="`html` escapes values for a page or a mail in HTML."
    )
    max_length: int = Field(
        default=100_000, ge=1, le=5_000_000, description="Most characters of the text."
    )

    @model_validator(mode="after")
    def _sound(self) -> FormatConfig:
        from jinja2 import TemplateSyntaxError, meta
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment()
        try:
            parsed = environment.parse(self.template)
        except TemplateSyntaxError as problem:
            told = f"line {problem.lineno} of the template: {problem.message}"
            raise ValueError(told) from None
        read = meta.find_undeclared_variables(parsed) - environment.globals.keys()
        if missing := sorted(read - self.values.keys()):
            raise ValueError(f"the template reads {missing[0]!r}, which `values` does not name")
        return self


class Format(Kind[FormatConfig]):
    """Gives `{text}`."""

    name = "transform.format"
    summary = "Fills a text template with values."
    example = """\
mail:
  kind: transform.format
  with:
    values: {name: "{{input.name}}", items: "{{input.items}}"}
    template: |
      Dear {{ name }},
      {% for item in items %}
      - {{ item.title }}: {{ '%.2f' % item.price }} EUR
      {% endfor %}
"""
    config = FormatConfig
    programs = frozenset({"template"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        return {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": False,
        }

    async def run(self, context: NodeContext, config: FormatConfig) -> NodeResult:
        given: dict[str, Value] = {
            "template": config.template,
            "values": config.values,
            "escape": config.escape,
            "limit": config.max_length,
        }
        hint = "Correct the template, or the values that it is given."
        text = await done_apart(context, "rendering", given, hint=hint)
        return NodeResult({"text": text})
