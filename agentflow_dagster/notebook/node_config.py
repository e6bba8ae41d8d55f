"""The config of a node whose cell holds no Python: a prompt, or YAML.

Of a kind with a field of prose the cell is that text; other fields stand before it, as YAML between
two lines of `---`. The cell of any other kind is its whole config, as YAML.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from agentflow_dagster.spec.diagnostics import Diagnostic, Position, error, pointer
from agentflow_dagster.spec.yaml_reader import YamlSource, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import JsonObject

FENCE = "---"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What a cell's text says of its node's config.

    Args:
        values: The config.
        positions: The place of each pointer into it, in the cell's text.
        diagnostics: What is wrong, with its place in the cell's text.
    """

    values: JsonObject
    positions: Mapping[str, Position] = field(default_factory=dict[str, Position])
    diagnostics: tuple[Diagnostic, ...] = ()


def read_config(source: str, prose: str) -> NodeConfig:
    """Reads a cell's text.

    Args:
        source: The text, without its first line.
        prose: The field that is written as prose; "" where the kind has none.
    """
    if not prose:
        return _yaml(source, 0)
    lines = source.splitlines(keepends=True)
    if not lines or lines[0].rstrip() != FENCE:
        return NodeConfig({prose: source}, {pointer(prose): Position(1)})
    end = next((i for i, line in enumerate(lines) if i and line.rstrip() == FENCE), None)
    if end is None:
        told = error("AF627", "The config before the prompt has no end.", hint="Close it with ---.")
        return NodeConfig({}, {}, (_at(told, Position(1)),))
    config = _yaml("".join(lines[1:end]), 1)
    if prose in config.values:
        told = error("AF627", f"`{prose}` stands in the config, and the prompt is below it.")
        place = config.positions.get(pointer(prose), Position(1))
        return replace(config, diagnostics=(*config.diagnostics, _at(told, place)))
    values: JsonObject = {prose: "".join(lines[end + 1 :]), **config.values}
    positions = {**config.positions, pointer(prose): Position(end + 2)}
    return NodeConfig(values, positions, config.diagnostics)


def write_config(config: JsonObject, prose: str, yaml: str) -> str:
    """The text that `read_config` reads as this.

    Args:
        config: The config; a field of prose in it is a text.
        prose: The field that is written as prose.
        yaml: The other fields as YAML; "" where there is none.
    """
    if not prose:
        return yaml
    text = str(config.get(prose, ""))
    if not yaml and text.partition("\n")[0].rstrip() != FENCE:
        return text
    return f"{FENCE}\n{yaml}{FENCE}\n{text}"


def whole_lines(yaml: str) -> str:
    """YAML whose last line ends: in a cell it does not, and a text written with `|` has one."""
    return yaml if yaml.endswith("\n") else f"{yaml}\n"


def read_cell_yaml(text: str) -> YamlSource:
    """The YAML of a cell, or of a part of one. Each text is read once; its values are copies."""
    source = _read_once(whole_lines(text))
    return replace(source, document=deepcopy(source.document))


@lru_cache(maxsize=500)
def _read_once(text: str) -> YamlSource:
    return read_yaml(text)


def _yaml(text: str, before: int) -> NodeConfig:
    """YAML that begins below so many lines."""
    if not text.strip():
        return NodeConfig({})
    source = read_cell_yaml(text)
    positions = {p: replace(at, line=at.line + before) for p, at in source.positions.items()}
    found = tuple(
        _at(one, Position((one.line or 1) + before, one.column or 1))
        if one.line is not None
        else _at(one, positions.get(one.pointer, Position(1 + before)))
        for one in source.diagnostics
    )
    return NodeConfig(source.document or {}, positions, found)


def _at(told: Diagnostic, place: Position) -> Diagnostic:
    return replace(told, line=place.line, column=place.column)
