"""A page for each node kind, and their index, made of what the kind says of itself."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.spec.diagnostics import nearest
from agentflow_dagster.spec.yaml_reader import read_yaml

if TYPE_CHECKING:
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature, RawConfig
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue

_MADE = "<!-- Made by `agentflow kinds --pages docs/kinds`: change the kind, and make it anew. -->"
_WORDS = {"string": "text", "null": "none"}
_READ_ALONE: JsonObject = {"type": "object"}


def find_kind(kinds: Catalogue, name: str) -> KindSignature[KindConfig]:
    """The kind of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in kinds:
        raise UsageError(f"There is no node kind {name!r}.", hint=nearest(name, kinds))
    return kinds[name]


def kind_facts(kind: KindSignature[KindConfig]) -> JsonObject:
    """What a kind says of itself, for programs; `output` is that of its example."""
    config = example_config(kind)
    return {
        "name": kind.name,
        "family": kind.family,
        "summary": kind.summary,
        "version": kind.version,
        "asset": kind.asset,
        "effects": kind.effects,
        "uses": [*sorted(kind.uses)],
        "fixed": [*sorted(kind.fixed)],
        "programs": [*sorted(kind.programs)],
        "ports": [*kind.ports(config)] if config is not None else [],
        "output": _output(kind, config),
        "config": cast("JsonObject", kind.config.model_json_schema(by_alias=True)),
        "example": kind.example,
    }


def pages(kinds: Catalogue) -> dict[str, str]:
    """The text of every page by its file's name, the index among them."""
    made = {f"{name}.md": page(kinds[name]) for name in sorted(kinds)}
    return {"README.md": _index(kinds), **made}


def page(kind: KindSignature[KindConfig]) -> str:
    """A kind's page, in Markdown."""
    facts = kind_facts(kind)
    parts = [f"# `{kind.name}`", _MADE, kind.summary, _about(kind), "## `with`", _table(facts)]
    parts += ["## Ports", _ports(facts)]
    if kind.asset:
        told = "## Output"
        note = _of_example(kind)
        shown = json.dumps(facts["output"], ensure_ascii=False, indent=2)
        parts += [told, f"{note}\n\n```json\n{shown}\n```"]
    if kind.example:
        parts += ["## Example", f"```yaml\n{kind.example.rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def example_document(kind: KindSignature[KindConfig]) -> JsonObject:
    """The example as an agent of its own: nodes are put into one whose input has any field.

    Raises:
        ValueError: the example is no YAML.
    """
    source = read_yaml(kind.example)
    if source.document is None or source.diagnostics:
        raise ValueError(f"the example of {kind.name} is no YAML: {source.diagnostics}")
    if "apiVersion" in source.document:
        return source.document
    return {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": "example"},
        "spec": {
            "inputs": _inputs(kind.example),
            "secrets": _named("secret", kind.example),
            "env": _named("env", kind.example),
            "nodes": source.document,
        },
    }


def example_config(kind: KindSignature[KindConfig]) -> RawConfig | None:
    """The config of the first node of this kind in its example; None where there is none."""
    if not kind.example:
        return None
    spec = cast("JsonObject", example_document(kind)["spec"])
    for node in cast("dict[str, JsonObject]", spec["nodes"]).values():
        if node.get("kind") == kind.name:
            return cast("JsonObject", node.get("with") or {})
    return None


def _inputs(example: str) -> JsonObject:
    """An input whose fields are those that the example reads, of any type."""
    types: dict[str, JsonObject] = {
        name: {"type": "number"} for name in re.findall(r"\binput\.(\w+) [<>]=? \d+\.", example)
    }
    fields = dict.fromkeys(re.findall(r"\binput\.(\w+)", example))
    properties: JsonObject = {name: types.get(name, {}) for name in fields}
    return {"type": "object", "required": [*fields], "properties": properties}


def _named(scope: str, example: str) -> list[JsonValue]:
    return [*dict.fromkeys(re.findall(rf"\b{scope}\.([A-Z_0-9]+)", example))]


def _output(kind: KindSignature[KindConfig], config: RawConfig | None) -> JsonValue:
    if config is None or not kind.asset:
        return None
    upstream: dict[str, JsonSchema] = {name: dict(_READ_ALONE) for name in kind.reads(config)}
    return cast("JsonValue", kind.output_schema(config, upstream))


def _of_example(kind: KindSignature[KindConfig]) -> str:
    depends = ", ".join(f"`{name}`" for name in sorted(kind.fixed))
    told = f" It depends on {depends}; this is that of the example." if depends else ""
    return f"The JSON Schema of what expressions read as `{{{{NAME.output}}}}`.{told}"


def _about(kind: KindSignature[KindConfig]) -> str:
    lines = ["It is an asset in Dagster." if kind.asset else "It only chooses a way: no asset."]
    if kind.effects == "external":
        lines.append("Running it changes something outside.")
    if kind.uses:
        lines.append(
            f"What counts beside `with`: {', '.join(f'`{u}`' for u in sorted(kind.uses))}."
        )
    if kind.programs:
        named = ", ".join(f"`{name}`" for name in sorted(kind.programs))
        lines.append(f"Taken as it stands, without expressions: {named}.")
    return " ".join(lines)


def _ports(facts: JsonObject) -> str:
    ports = ", ".join(f"`{port}`" for port in cast("list[str]", facts["ports"])) or "`result`"
    return (
        f"{ports}; with `onError` also `error`. Those of the example, where its config names them."
    )


def _table(facts: JsonObject) -> str:
    schema = cast("JsonObject", facts["config"])
    definitions = cast("dict[str, JsonObject]", schema.get("$defs") or {})
    required = cast("list[str]", schema.get("required") or [])
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    fields = cast("dict[str, JsonObject]", schema.get("properties") or {})
    for name, field in fields.items():
        default = "required" if name in required else _default(field)
        told = _cell(str(field.get("description", "")))
        rows.append(f"| `{name}` | {_cell(_type(field, definitions))} | {default} | {told} |")
    inner = [_inner(title, known) for title, known in definitions.items() if "properties" in known]
    return "\n".join(rows) + "".join(f"\n\n{told}" for told in inner)


def _inner(title: str, schema: JsonObject) -> str:
    return f"`{title}`:\n\n" + _table({"config": {**schema, "$defs": {}}})


def _default(field: JsonObject) -> str:
    value = field.get("default")
    if value is None and "default" not in field:
        return "empty"
    return "none" if value is None else f"`{_cell(json.dumps(value, ensure_ascii=False))}`"


def _type(schema: JsonValue, definitions: dict[str, JsonObject]) -> str:
    if not isinstance(schema, dict):
        return "any"
    if isinstance(reference := schema.get("$ref"), str):
        name = reference.rpartition("/")[2]
        known = definitions.get(name, {})
        return f"`{name}`" if "properties" in known else _type(known, definitions)
    if isinstance(choices := schema.get("enum"), list):
        return ", ".join(f"`{choice}`" for choice in choices)
    if isinstance(options := schema.get("anyOf"), list):
        told = dict.fromkeys(_type(option, definitions) for option in options)
        return " or ".join(name for name in told if name != "none")
    name = str(schema.get("type", "any"))
    if name == "array":
        return f"list of {_type(schema.get('items'), definitions)}"
    return _mapping(schema, definitions) if name == "object" else _WORDS.get(name, name)


def _mapping(schema: JsonObject, definitions: dict[str, JsonObject]) -> str:
    patterns = schema.get("patternProperties")
    inner = schema.get("additionalProperties")
    if isinstance(patterns, dict) and patterns:
        inner = next(iter(patterns.values()))
    return f"{_type(inner, definitions)} by name" if isinstance(inner, dict) else "mapping"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _index(kinds: Catalogue) -> str:
    rows = "\n".join(
        f"| [`{name}`]({name}.md) | {_cell(kinds[name].summary)} |" for name in sorted(kinds)
    )
    return (
        f"# Node kinds\n\n{_MADE}\n\n| kind | what a node of it does |\n|---|---|\n{rows}\n\n"
        "Plugins add more: `agentflow kinds` lists what is installed, and "
        "[Add a node kind](../guides/add-a-node-kind.md) says how to make one.\n"
    )
