"""Fixes carried out in YAML: names are changed where they stand, comments and order stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never, cast

from agentflow_dagster.spec.fixes import Put, Remove, Rename
from agentflow_dagster.spec.yaml_reader import key_text, read_yaml
from agentflow_dagster.spec.yaml_tree import YamlMapping, YamlScalar, YamlSequence, compose
from agentflow_dagster.spec.yaml_writer import update_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.spec.fixes import Edit, Fix
    from agentflow_dagster.spec.values import JsonObject, JsonValue
    from agentflow_dagster.spec.yaml_tree import YamlNode


def carried_out(text: str, fixes: Sequence[Fix]) -> str:
    """The text with fixes applied; one whose place is gone is left out.

    Args:
        text: YAML that can be read.
        fixes: Those of one check: all places are places of this text.
    """
    edits = list(dict.fromkeys(_order(edit) for fix in fixes for edit in fix.edits))
    # From the back, so that a place stays what it was until its turn comes.
    for _, edit in sorted(edits, key=lambda pair: pair[0], reverse=True):
        text = _edited(text, edit)
    return text


def _order(edit: Edit) -> tuple[tuple[tuple[int, int | str], ...], Edit]:
    steps = _steps(edit.from_ if isinstance(edit, Rename) else edit.path)
    return tuple((0, int(s)) if s.isdigit() else (1, s) for s in steps), edit


def _edited(text: str, edit: Edit) -> str:
    match edit:
        case Rename():
            return _renamed(text, _steps(edit.from_), _steps(edit.path)[-1])
        case Put(path="/apiVersion", value=str()) if text.lstrip()[:1] not in {"", "{"}:
            return _at_the_top(text, f"apiVersion: {edit.value}")
        case Put() | Remove():
            return _changed(text, edit)
        case _:
            assert_never(edit)


def _renamed(text: str, steps: list[str], name: str) -> str:
    key = _key_at(compose(text), steps)
    if key is None:
        return text
    shown = f"{key.style}{name}{key.style}" if key.style in {'"', "'"} else name
    return text[: key.start] + shown + text[key.end :]


def _key_at(node: YamlNode | None, steps: list[str]) -> YamlScalar | None:
    """The key that a path ends in; None where it does, or an alias stands on the way."""
    for index, step in enumerate(steps):
        match node:
            case YamlMapping():
                found = next((e for e in node.entries if key_text(e[0]) == step), None)
                if found is None:
                    return None
                if index == len(steps) - 1:
                    return found[0] if isinstance(found[0], YamlScalar) else None
                node = found[1]
            case YamlSequence() if step.isdigit() and int(step) < len(node.items):
                node = node.items[int(step)]
            case _:
                return None
    return None


def _at_the_top(text: str, line: str) -> str:
    """Above the first field, below the comments that a file begins with."""
    root = compose(text)
    if root is None:
        return text
    newline = "\r\n" if "\r\n" in text else "\n"
    return text[: root.start] + line + newline + text[root.start :]


def _changed(text: str, edit: Put | Remove) -> str:
    document = read_yaml(text).document
    if document is None:
        return text
    *way, last = _steps(edit.path)
    at: JsonValue = document
    for step in way:
        match at:
            case dict():
                at = at.get(step)
            case list() if step.isdigit() and int(step) < len(at):
                at = at[int(step)]
            case _:
                return text
    match at, edit:
        case dict(), Put():
            cast("JsonObject", at)[last] = edit.value
        case dict(), Remove():
            cast("JsonObject", at).pop(last, None)
        case list(), _ if last.isdigit() and int(last) < len(at):
            items = cast("list[JsonValue]", at)
            items[int(last) : int(last) + 1] = [edit.value] if isinstance(edit, Put) else []
        case _:
            return text
    return update_yaml(text, document)


def _steps(path: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
