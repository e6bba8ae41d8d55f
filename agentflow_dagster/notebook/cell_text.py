"""The parts of an agent as the texts of cells: what `reading`, `parameters` and `settings` read."""

from __future__ import annotations

import keyword
import shlex
from typing import TYPE_CHECKING, cast

from agentflow_dagster.notebook.cells import AGENT_MAGIC
from agentflow_dagster.notebook.node_config import read_config, whole_lines, write_config
from agentflow_dagster.notebook.node_line import CODE, MAGIC
from agentflow_dagster.spec.yaml_text import flow
from agentflow_dagster.spec.yaml_writer import update_yaml, write_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.spec.values import JsonObject, JsonValue

_TYPES = {"integer": "int", "number": "float", "string": "str", "boolean": "bool", "null": "None"}


def node_line(name: str, node: JsonObject, given: JsonObject | None) -> str:
    """The line `%%node NAME …` of a node.

    Args:
        name: The node's name.
        node: The node; its config is the cell's text, and no part of the line.
        given: What the line says of the config: of a node of code what its text does not tell;
            None where it says nothing.
    """
    words = [MAGIC, name]
    kind = str(node.get("kind", CODE))
    if kind != CODE:
        words += ["--kind", kind]
    words += [word for option in _options(node, is_code=kind == CODE) for word in option]
    words += [word for option in _given(given or {}) for word in option]
    return shlex.join(words)


def exact_line(name: str, node: JsonObject, config: JsonObject) -> str:
    """The line of a node whose config stands in it, so that nothing is told by other cells.

    Args:
        name: The node's name.
        node: The node.
        config: Its config, but for code.
    """
    return f"{node_line(name, node, None)} {shlex.join(_set('with', config))}"


def config_text(node: JsonObject, prose: str, before: str = "") -> str | None:
    """The text of a cell whose node is no code; None where its config cannot be one.

    Args:
        node: The node.
        prose: Its kind's field of prose.
        before: The text that the cell has had, of which what can stay does.
    """
    config = cast("JsonObject", node.get("with", {}))
    if prose and not isinstance(config.get(prose), str):
        return None
    others = {name: value for name, value in config.items() if name != prose}
    yaml = ""
    if others:
        earlier = _yaml_of(before, prose)
        yaml = update_yaml(whole_lines(earlier), others) if earlier else write_yaml(others)
    text = write_config(config, prose, yaml)
    return text if prose else _without_end(text)


def agent_text(settings: JsonObject, before: str = "") -> str:
    """The cell `%%agentflow agent`.

    Args:
        settings: What it says.
        before: The YAML that it has had, of which what can stay does.
    """
    yaml = write_yaml(settings)
    if before.strip():
        yaml = update_yaml(whole_lines(before), settings)
    return _without_end(f"{AGENT_MAGIC} agent\n{yaml}")


def parameters_text(inputs: JsonObject) -> str:
    """The parameters cell of a run's input; what Python cannot say is left out."""
    properties = inputs.get("properties")
    if not isinstance(properties, dict):
        return ""
    lines = [
        line
        for name, schema in properties.items()
        if name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
        for line in [_parameter(name, schema if isinstance(schema, dict) else {})]
    ]
    return "\n".join(lines)


def _parameter(name: str, schema: JsonObject) -> str:
    type_ = _annotation(schema)
    line = f"{name}: {type_}" if type_ else name
    if "default" in schema:
        line += f" = {schema['default']!r}"
    elif not type_:
        line = f"{name}: object"
    description = schema.get("description")
    if isinstance(description, str) and description.strip() and description.isprintable():
        line += f"  # {description}"
    return line


def _annotation(schema: JsonObject) -> str:
    """The type as Python writes it; "" where it has no such type, or the default tells it."""
    match schema:
        case {"enum": list(choices)}:
            return f"Literal[{', '.join(map(repr, choices))}]"
        case {"type": "array", "items": dict(items)} if inner := _annotation(items):
            return f"list[{inner}]"
        case {"type": "array"}:
            return "list"
        case {"type": "object", "additionalProperties": dict(values)} if inner := _annotation(
            values
        ):
            return f"dict[str, {inner}]"
        case {"type": "object"}:
            return "dict"
        case {"type": [str(kind), "null"]}:
            return f"{_TYPES[kind]} | None" if kind in _TYPES else ""
        case {"type": str(kind)}:
            return _TYPES.get(kind, "")
        case _:
            return ""


def _options(node: JsonObject, *, is_code: bool) -> Iterator[list[str]]:
    """The options of a line for the fields beside the config, `--set` where none fits."""
    for name, value in node.items():
        match name, value:
            case ("kind" | "with", _):
                continue
            case "after", list(ports) if ports:
                yield ["--after", ",".join(map(str, ports))]
            case (("when" | "timeout"), str(text)) if "\n" not in text and "\r" not in text:
                yield [f"--{name}", text]
            case "join", "all" | "any":
                yield ["--join", value]
            case "onError", {"to": str(to), **rest} if not rest:
                yield ["--on-error", to]
            case "retry", {"maxAttempts": int(attempts), **rest} if not rest:
                yield ["--retry", str(attempts)]
            case "llm", {"model": str(model), **rest} if not rest and model.isprintable():
                yield ["--model", model]
            case "resources", {"memory": str(memory), **rest} if not rest and not is_code:
                yield ["--memory", memory]
            case _:
                yield _set(name, value)


def _given(config: JsonObject) -> Iterator[list[str]]:
    """The options for the part of a config of code that its text does not tell."""
    for name, value in config.items():
        match name, value:
            case "inputs", dict(inputs) if all(_is_line(v) for v in inputs.values()):
                for variable, expression in inputs.items():
                    yield ["--in", f"{variable}={expression}"]
            case "outputs", list(outputs) if outputs:
                yield ["--out", ",".join(map(str, outputs))]
            case "memory", str(memory):
                yield ["--memory", memory]
            case _:
                yield _set(f"with.{name}", value)


def _without_end(text: str) -> str:
    """Text whose last line does not end, as the texts of cells are."""
    return text.removesuffix("\n")


def _set(path: str, value: JsonValue) -> list[str]:
    return ["--set", f"{path}={flow(value, inside=False)}"]


def _is_line(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _yaml_of(source: str, prose: str) -> str:
    """The YAML in the text of a cell."""
    if not prose:
        return source
    place = read_config(source, prose).positions.get(f"/{prose}")
    first = place.line if place else 1
    lines = source.splitlines(keepends=True)[: first - 1]
    return "".join(lines[1:-1]) if len(lines) > 1 else ""


def given_beside(wanted: JsonObject, told: Mapping[str, JsonValue]) -> JsonObject | None:
    """What a line has to say of a config of code, where its text tells the rest.

    Args:
        wanted: The config.
        told: The config as it is read without a word of the line.

    Returns:
        The fields, or None where no line can say it beside what the text tells.
    """
    inputs, found = (cast("JsonObject", one.get("inputs", {})) for one in (wanted, told))
    if found.keys() - inputs.keys():
        return None
    given: JsonObject = {}
    if more := {name: v for name, v in inputs.items() if found.get(name) != v}:
        given["inputs"] = more
    if wanted.get("outputs") != told.get("outputs"):
        if not isinstance(wanted.get("outputs"), list):
            return None if "outputs" not in wanted else {**given, "outputs": wanted["outputs"]}
        given["outputs"] = wanted["outputs"]
    rest = {n: v for n, v in wanted.items() if n not in {"code", "inputs", "outputs"}}
    return {**given, **rest}
