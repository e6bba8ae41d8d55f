"""YAML 1.2 text to plain JSON values, each with its place in the text.

Works on ruamel's node tree, so that limits, duplicate keys and tags are judged before anything is
built. Only the core schema is understood: no tag constructs an object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, NoReturn

from agentflow_dagster.spec.diagnostics import Diagnostic, Position, error, pointer

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node as YamlNode

    from agentflow_dagster.spec.values import JsonObject, JsonValue

MAX_CHARACTERS = 5_000_000
MAX_VALUES = 500_000
MAX_DEPTH = 64

_CORE = "tag:yaml.org,2002:"


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
        root = reader.compose(text)
        document = reader.value(root, (), 0) if root is not None else None
    except _Refused as refusal:
        return YamlSource(None, reader.positions, (refusal.diagnostic,))
    if not isinstance(document, dict):
        problem = error(
            "AF101", "The file holds no mapping.", hint="An agent begins with `apiVersion:`."
        )
        return YamlSource(None, reader.positions, (*reader.diagnostics, problem))
    return YamlSource(document, reader.positions, tuple(reader.diagnostics))


class _Refused(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class _Reader:
    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.diagnostics: list[Diagnostic] = []
        self._values = 0

    def compose(self, text: str) -> YamlNode | None:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        yaml = YAML(typ="safe", pure=True)
        yaml.version = (1, 2)
        try:
            return yaml.compose(StringIO(text))
        except MarkedYAMLError as problem:
            mark = problem.problem_mark or problem.context_mark
            place = Position(mark.line + 1, mark.column + 1) if mark else None
            said = (problem.problem or problem.context or "it cannot be read").strip()
            raise _Refused(error("AF102", f"Not YAML: {said}.").at("", place)) from None
        except (YAMLError, RecursionError, ValueError) as problem:
            raise _Refused(error("AF102", f"Not YAML: {problem}.")) from None

    def value(self, node: YamlNode, path: tuple[str | int, ...], depth: int) -> JsonValue:
        from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

        place = pointer(*path)
        self.positions.setdefault(place, _start(node))
        self._values += 1
        if self._values > MAX_VALUES:
            self._refuse("AF103", f"More than {MAX_VALUES:,} values, aliases written out.", node)
        if depth > MAX_DEPTH:
            self._refuse("AF104", f"Nested more than {MAX_DEPTH} deep.", node)
        match node:
            case MappingNode():
                return self._mapping(node, path, depth)
            case SequenceNode():
                return [self.value(n, (*path, i), depth + 1) for i, n in enumerate(node.value)]
            case ScalarNode():
                return self._scalar(node, place)
            case _:
                self._refuse("AF102", "Not YAML: an unknown node.", node)

    def _mapping(self, node: YamlNode, path: tuple[str | int, ...], depth: int) -> JsonObject:
        result: JsonObject = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node.value, str) else None
            if key is None:
                self._refuse("AF105", "A key must be a text.", key_node)
            if key == "<<":
                self._refuse("AF106", "Merge keys (`<<`) are not YAML 1.2.", key_node)
            place = pointer(*path, key)
            if key in result:
                self.diagnostics.append(
                    error("AF107", f"{key!r} stands twice in one mapping.", pointer=place).at(
                        "", _start(key_node)
                    )
                )
                continue
            result[key] = self.value(value_node, (*path, key), depth + 1)
            self.positions[place] = _start(key_node)
        return result

    def _scalar(self, node: YamlNode, place: str) -> JsonValue:
        text: str = node.value
        tag = str(node.tag or "")
        try:
            match tag.removeprefix(_CORE):
                case "str":
                    return text
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return int(text.replace("_", ""), 0 if text[:2].lower() in {"0x", "0o"} else 10)
                case "float":
                    return _float(text)
                case _:
                    return self._tagged(node, tag, text)
        except ValueError:
            return text

    def _tagged(self, node: YamlNode, tag: str, text: str) -> JsonValue:
        if tag in {f"{_CORE}timestamp", f"{_CORE}value"}:
            return text
        self._refuse("AF108", f"The tag {tag.removeprefix(_CORE)!r} is not allowed.", node)

    def _refuse(self, code: str, message: str, node: YamlNode) -> NoReturn:
        raise _Refused(error(code, message).at("", _start(node)))


def _start(node: YamlNode) -> Position:
    mark = node.start_mark
    return Position(mark.line + 1, mark.column + 1)


def _float(text: str) -> float:
    plain = text.replace("_", "").lower()
    return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
