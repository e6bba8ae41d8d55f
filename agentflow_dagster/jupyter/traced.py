"""Lets ipyflow see what the bodies of `%%node` cells do, and asks it what they took.

ipyflow follows names and objects while cells run, but looks into no cell magic. So where it is at
work, a node's cell of code is turned into its plain body behind a call that begins the node; lines
stay where they are. A node whose line may skip it runs as a magic even so, and is not seen.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.notebook import parse_node_line
from agentflow_dagster.notebook.seen import Taken, to_bundle

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from agentflow_dagster.spec.values import JsonObject

_MAGIC = "%%node"
BEGINS = "node_begins"
"""The line magic that begins a node whose body then runs as a cell's own text."""


def let_bodies_be_seen(shell: InteractiveShell) -> None:
    """From here on, cells of nodes are turned so wherever ipyflow is at work."""
    transforms = cast("Any", shell).input_transformer_manager.cleanup_transforms
    if _opened not in transforms:
        transforms.insert(0, _opened)


def is_seen() -> bool:
    """Whether ipyflow follows this kernel's cells."""
    if "ipyflow" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return type(get_ipython()).__module__.startswith("ipyflow")


def _opened(lines: list[str]) -> list[str]:
    """A cell's lines, with `%%node …` turned into a call where the body is to be seen."""
    place = next((i for i, line in enumerate(lines) if line.strip()), None)
    if place is None or lines[place].split(maxsplit=1)[:1] != [_MAGIC] or not is_seen():
        return lines
    line = lines[place].strip().removeprefix(_MAGIC).strip()
    if "--help" in line or not _may_be_opened(line):
        return lines
    told = json.dumps([line, "".join(lines[place + 1 :])])
    call = f"get_ipython().run_line_magic({BEGINS!r}, {told!r})\n"
    return [*lines[:place], call, *lines[place + 1 :]]


def _may_be_opened(line: str) -> bool:
    try:
        options = parse_node_line(line)
    except ValueError:
        return False
    return options.is_code and options.when is None and not options.after


def what_was_seen(made: Collection[str]) -> JsonObject | None:
    """What the cell at work has taken from others, as its output keeps it; None without ipyflow.

    Args:
        made: The names that it has set.
    """
    if not is_seen():
        return None
    with suppress(Exception):  # its tables are no public interface; the cell has run in any case
        return _bundle(made)
    return None


def _bundle(made: Collection[str]) -> JsonObject:
    from ipyflow.data_model.cell import Cell

    cells = cast("Any", Cell)
    here = cells.current_cell()
    parents = cast("dict[object, set[Any]]", here.raw_dynamic_parents)
    takes: list[Taken] = []
    for id_, symbols in parents.items():
        parent = cells.from_id_nullable(id_)
        if parent is not None and parent is not here:
            takes.append(_taken(str(parent.executed_content or ""), symbols))
    return to_bundle(str(here.current_content), takes, made)


def _taken(text: str, symbols: Iterable[Any]) -> Taken:
    """By which names of the notebook ipyflow's symbols are reached."""
    made: set[str] = set()
    changed: set[str] = set()
    for symbol in list(symbols):
        if _is_of_notebook(symbol):
            made.add(str(symbol.name))
        else:
            with suppress(RecursionError):  # where an object holds itself
                changed |= set(_names_around(symbol))
    return Taken(text, frozenset(made), frozenset(changed - made))


def _names_around(symbol: Any) -> Iterator[str]:
    """The notebook's names for what holds an attribute or item."""
    for each in list(symbol.iter_containing_symbols()):
        if _is_of_notebook(each):
            yield str(each.name)


def _is_of_notebook(symbol: Any) -> bool:
    return bool(symbol.containing_scope.is_global) and str(symbol.name).isidentifier()
