"""What most commands begin with: the project, the node kinds, an input from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError

if TYPE_CHECKING:
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.spec.kind import KindConfig
    from agentflow_dagster.spec.values import JsonObject


def current_project() -> Project:
    """The project that holds the current folder.

    Raises:
        UsageError: there is none.
    """
    from agentflow_dagster.operations.project import Project

    return Project.find()


def known_kinds() -> dict[str, Kind[KindConfig]]:
    """Every node kind, plugins' too."""
    from agentflow_dagster.nodes import all_kinds

    return all_kinds()


NOUNS = frozenset({"agent", "agents", "workflow", "workflows"})
"""Words that may stand before a name: `describe workflow NAME` is `describe NAME`."""


def after_noun(words: tuple[str, ...], *, required: bool) -> str:
    """The name among a command's words; "" where none is given and none is required.

    Raises:
        UsageError: there are too many words, or there is no name.
    """
    names = words[1:] if words and words[0] in NOUNS and (len(words) > 1 or not required) else words
    if len(names) > 1:
        raise UsageError(f"Give one name, not {len(names)}: {' '.join(names)}.")
    if required and not names:
        raise UsageError("Give a name.", hint="`agentflow list` shows what there is.")
    return names[0] if names else ""


def read_input(given: str) -> JsonObject:
    """The value of `--input`: JSON, `@FILE` with JSON in it, or `@-` for standard input.

    Raises:
        UsageError: it is not a JSON object, or the file cannot be read.
    """
    text = given
    if given.startswith("@"):
        try:
            data = sys.stdin.buffer.read() if given == "@-" else Path(given[1:]).read_bytes()
            text = data.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(f"--input {given!r} cannot be read: {problem}.") from None
    try:
        value = json.loads(text)
        # As it goes to Dagster: with neither NaN nor half a character.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as problem:
        raise UsageError(
            f"--input is not JSON: {problem}.", hint="""Example: --input '{"body": "It crashes"}'"""
        ) from None
    if not isinstance(value, dict):
        raise UsageError("--input must be a JSON object.")
    return cast("JsonObject", value)
