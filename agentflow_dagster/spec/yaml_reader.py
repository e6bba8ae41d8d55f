"""YAML 1.2 text to plain JSON values, each with its place in the text.

Only the core schema is understood: no tag constructs an object, `yes` and `on` are texts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentflow_dagster.spec.diagnostics import Diagnostic, Position, error, pointer
from agentflow_dagster.spec.yaml_tree import (
    CORE,
    MAX_DEPTH,
    MAX_VALUES,
    QUOTE_EXPRESSION,
    YamlAlias,
    YamlMapping,
    YamlNode,
    YamlRefused,
    YamlScalar,
    YamlSequence,
    compose,
    core_value,
    refuse,
)

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

MAX_CHARACTERS = 5_000_000


@dataclass(frozen=True, slots=True)
class YamlSource:
    """What a text says: the document, and the place of every pointer in it."""

    document: JsonObject | None
    positions: dict[str, Position] = field(default_factory=dict[str, Position])
    diagnostics: tuple[Diagnostic, ...] = ()


def read_yaml(text: str) -> YamlSource:
    """Reads one YAML (or JSON) document. Never raises: what is wrong is in `diagnostics`."""
    if len(text) > MAX_CHARACTERS:
        problem = error("AF100", f"The file has {len(text):,} characters; the limit is 5,000,000.")
        return YamlSource(None, diagnostics=(problem,))
    reader = _Reader()
    try:
        root = compose(text)
        document = reader.value(root, (), 0) if root is not None else None
    except YamlRefused as refusal:
        return YamlSource(None, reader.positions, (refusal.diagnostic,))
    if not isinstance(document, dict):
        problem = error(
            "AF101", "The file holds no mapping.", hint="An agent begins with `apiVersion:`."
        )
        return YamlSource(None, reader.positions, (*reader.diagnostics, problem))
    return YamlSource(document, reader.positions, tuple(reader.diagnostics))


def node_value(node: YamlNode) -> JsonValue:
    """What a node says, aliases written out.

    Raises:
        YamlRefused: as `read_yaml` would tell it.
    """
    return _Reader().value(node, (), 0)


def scalar_value(node: YamlScalar) -> JsonValue:
    """What a scalar means.

    Raises:
        YamlRefused: it has no JSON form, or is not what its tag says.
    """
    text = _whole_characters(node)
    if node.tag in {"!", f"{CORE}str"} or (not node.tag and node.style):
        return text
    try:
        value = core_value(text)
    except ValueError:
        message = f"{text[:60]!r} is a number that JSON cannot hold."
        raise refuse("AF117", message, node.position, hint="Quote it if a text is meant.") from None
    if node.tag and not _is_tagged(value, node.tag.removeprefix(CORE)):
        wanted = node.tag.replace(CORE, "!!", 1)
        raise refuse("AF108", f"{text[:60]!r} is no {wanted}.", node.position, hint="Take it out.")
    return value


class _Reader:
    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.diagnostics: list[Diagnostic] = []
        self._values = 0

    def value(self, node: YamlNode, path: tuple[str | int, ...], depth: int) -> JsonValue:
        self.positions.setdefault(pointer(*path), node.position)
        self._values += 1
        if self._values > MAX_VALUES:
            message = f"More than {MAX_VALUES:,} values, aliases written out."
            raise refuse("AF103", message, node.position)
        if depth > MAX_DEPTH:
            message = f"Nested more than {MAX_DEPTH} deep, aliases written out."
            raise refuse("AF104", message, node.position)
        match node:
            case YamlMapping():
                return self._mapping(node, path, depth)
            case YamlSequence():
                return [self.value(n, (*path, i), depth + 1) for i, n in enumerate(node.items)]
            case YamlScalar():
                return scalar_value(node)
            case YamlAlias():
                return self.value(node.target, path, depth)

    def _mapping(self, node: YamlMapping, path: tuple[str | int, ...], depth: int) -> JsonObject:
        result: JsonObject = {}
        for key_node, value_node in node.entries:
            key = key_text(key_node)
            place = pointer(*path, key)
            if key in result:
                message = f"{key!r} stands twice in one mapping."
                told = error("AF107", message, pointer=place, hint="Keep one of them.")
                self.diagnostics.append(told.at("", key_node.position))
                continue
            self.positions[place] = key_node.position
            result[key] = self.value(value_node, (*path, key), depth + 1)
        return result


def key_text(node: YamlNode) -> str:
    """A mapping's key.

    Raises:
        YamlRefused: it is no text, or the merge key of YAML 1.1.
    """
    scalar = node.target if isinstance(node, YamlAlias) else node
    if not isinstance(scalar, YamlScalar):
        raise refuse("AF105", "A key must be a text.", node.position, hint=QUOTE_EXPRESSION)
    if scalar.text == "<<" and not scalar.style:
        hint = "Write the fields out."
        raise refuse("AF106", "Merge keys (`<<`) are not YAML 1.2.", node.position, hint=hint)
    return _whole_characters(scalar)


def _whole_characters(node: YamlScalar) -> str:
    """Its text; JSON escapes a character past U+FFFF as two halves, which are put together."""
    if node.text.isascii():
        return node.text
    try:
        return node.text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        message = "The text has half a character (an escape from \\ud800 to \\udfff)."
        raise refuse("AF117", message, node.position) from None


def _is_tagged(value: JsonValue, tag: str) -> bool:
    kinds = {"null": type(None), "bool": bool, "int": int, "float": (int, float)}
    return isinstance(value, kinds[tag]) and (tag == "bool" or not isinstance(value, bool))
