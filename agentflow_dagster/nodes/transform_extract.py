"""`transform.extract`: values found in JSON by JSONPath, or in a text by a regular expression."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.apart import done_apart
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, JsonValue, Value

MAX_MATCHES = 100_000
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=255)]


def _path(path: str) -> str:
    from jsonpath import JSONPathEnvironment, JSONPathError

    try:
        JSONPathEnvironment(strict=True).compile(path)
    except JSONPathError as problem:
        raise ValueError(f"not a JSONPath: {problem}") from None
    return path


def _pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as problem:
        raise ValueError(f"not a regular expression: {problem}") from None
    if not groups:
        raise ValueError("a regular expression with a named group, (?P<name>…), is needed")
    return pattern


Path = Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(_path)]
Pattern = Annotated[
    str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(_pattern)
]


class ExtractConfig(KindConfig):
    """Where to look, and for what: by `paths` or by `pattern`."""

    source: Any = Field(
        alias="from", description="JSON to follow paths in, or a text to search for a pattern."
    )
    paths: dict[Name, Path] = Field(
        default_factory=dict[str, str],
        max_length=1_000,
        description=(
            "A JSONPath (RFC 9535) for each field of the output. One that can lead to one place "
            "only, such as `$.a[0].b`, gives the value; any other a list."
        ),
    )
    pattern: Pattern | None = Field(
        default=None,
        description="A regular expression in Python's form; its named groups are the fields.",
    )
    matches: Literal["first", "all"] = Field(
        default="first", description="Whether a pattern gives its first match, or a list of all."
    )
    on_missing: Literal["fail", "omit"] = Field(
        default="fail",
        description="Where there is nothing at a path, or no match: fail, or leave the field out.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> ExtractConfig:
        if bool(self.paths) == (self.pattern is not None):
            raise ValueError("give `paths` or `pattern`, and not both")
        return self


class Extract(Kind[ExtractConfig]):
    """Gives an object of what was found; `{matches: […]}` where all matches are wanted."""

    name = "transform.extract"
    summary = "Finds values in JSON by JSONPath, or in a text by a regular expression."
    example = """\
order:
  kind: transform.extract
  with:
    from: "{{input.order}}"
    paths: {customer: $.customer.name, titles: "$.items[?@.price > 10].title"}
number:
  kind: transform.extract
  with:
    from: "{{input.body}}"
    pattern: 'ticket #(?P<number>\\d+)'
    onMissing: omit
"""
    config = ExtractConfig
    fixed = frozenset({"paths", "matches", "onMissing"})
    programs = frozenset({"pattern"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        sure = config.get("onMissing") != "omit"
        pattern = config.get("pattern")
        if isinstance(pattern, str):
            names = list(re.compile(pattern).groupindex)
            one = _object({name: {"type": "string"} for name in names}, names)
            if config.get("matches") == "all":
                return _object({"matches": {"type": "array", "items": one}}, ["matches"])
            return one if sure else {**one, "required": []}
        paths = cast("dict[str, str]", config.get("paths") or {})
        fields: dict[str, JsonSchema] = {
            name: {} if _is_singular(path) else {"type": "array"} for name, path in paths.items()
        }
        return _object(fields, [n for n in paths if sure or not _is_singular(paths[n])])

    async def run(self, context: NodeContext, config: ExtractConfig) -> NodeResult:
        if config.pattern is not None and not isinstance(config.source, str):
            raise RunError(
                f"`from` of {context.node!r} is no text, and a pattern is searched for in it.",
                hint="Convert it with string(…), or use `paths`.",
                retryable=False,
            )
        given: dict[str, Value] = {
            "source": config.source,
            "paths": dict(config.paths),
            "pattern": config.pattern or "",
            "most": MAX_MATCHES,
            "every": config.matches == "all",
        }
        found = await done_apart(context, "finding", given)
        if config.pattern is None:
            return NodeResult(_by_path(context, cast("dict[str, list[Value]]", found), config))
        groups = cast("list[Value]", found)
        if config.matches == "all":
            return NodeResult({"matches": groups})
        if not groups and config.on_missing == "fail":
            raise _nothing(context, "by its pattern")
        return NodeResult(groups[0] if groups else {})


def _by_path(
    context: NodeContext, found: Mapping[str, list[Value]], config: ExtractConfig
) -> dict[str, Value]:
    output: dict[str, Value] = {}
    for name, values in found.items():
        if not _is_singular(config.paths[name]):
            output[name] = values
        elif values:
            output[name] = values[0]
        elif config.on_missing == "fail":
            raise _nothing(context, f"at {config.paths[name]!r}")
    return output


def _is_singular(path: str) -> bool:
    """Whether a path leads to one place at most."""
    from jsonpath import JSONPath, JSONPathEnvironment

    compiled = JSONPathEnvironment(strict=True).compile(path)
    return isinstance(compiled, JSONPath) and compiled.singular_query()


def _object(fields: dict[str, JsonSchema], required: list[str]) -> JsonSchema:
    return {
        "type": "object",
        "properties": fields,
        "required": cast("list[JsonValue]", required),
        "additionalProperties": False,
    }


def _nothing(context: NodeContext, where: str) -> RunError:
    return RunError(
        f"{context.node!r} finds nothing {where}.",
        hint="Where that is to be expected, say `onMissing: omit`.",
        retryable=False,
    )
