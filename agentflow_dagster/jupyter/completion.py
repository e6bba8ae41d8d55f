"""What the Tab key offers behind `%agentflow` and `%%node`."""

from __future__ import annotations

import re
from typing import Protocol

from agentflow_dagster.jupyter import commands


class Event(Protocol):
    """What IPython tells of the line: its text up to the cursor, and the word there."""

    line: str
    symbol: str


def complete(_shell: object, event: Event) -> list[str]:
    """The words that may stand here."""
    words = event.line.split()
    if not event.line[-1:].isspace():
        words = words[:-1]
    if not words:
        return []
    if words[0].lstrip("%") == "node":
        return _for_node(words)
    if len(words) == 1:
        return list(commands.NAMES)
    if words[1] in commands.NAMES and words[1] != "help":
        usage = commands.parser_of(words[1], commands.find(words[1])).format_help()
        return sorted(set(re.findall(r"--[a-z][a-z-]*", usage)))
    return []


def _for_node(words: list[str]) -> list[str]:
    if words[-1] == "--kind":
        from agentflow_dagster.nodes import all_kinds

        return sorted(all_kinds())
    if words[-1] == "--join":
        return ["all", "any"]
    from agentflow_dagster.notebook.node_line import node_options

    return node_options()
