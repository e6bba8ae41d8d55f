"""How a person is told what is wrong with a file: the problem, its line, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from agentflow_dagster.cli.output import shown
from agentflow_dagster.operations.excerpts import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agentflow_dagster.spec.diagnostics import Diagnostic

_COLOURS = {"error": "red", "warning": "yellow"}


def by_place(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """In the order of the file; what is said of the file as a whole comes first."""
    return sorted(found, key=lambda d: (d.cell or 0, d.line or 0, d.column or 0))


def told(found: Diagnostic, source: str) -> str:
    """A diagnostic with the line that it is about, in colours that a pipe does not get.

    Args:
        found: With its place.
        source: The text of its file.
    """
    place, _, rest = str(found).partition(f": {found.severity} ")
    colour = _COLOURS[found.severity]
    head = click.style(f"{found.severity} {found.code}", fg=colour, bold=True)
    said = f"{click.style(shown(place), bold=True)}: {head}: {shown(rest.partition(': ')[2])}"
    line = excerpt(source, found)
    if line is None:
        return said + "\n"
    margin = " " * len(str(line.number))
    bar = click.style("|", fg="bright_black")
    carets = click.style("^" * line.length, fg=colour)
    number = click.style(str(line.number), fg="bright_black")
    return (
        f"{said}\n {number} {bar} {shown(line.text)}\n {margin} {bar} {' ' * line.start}{carets}\n"
    )


def summary(files: int, found: Sequence[Diagnostic]) -> str:
    """One line about all of them."""
    errors = sum(d.severity == "error" for d in found)
    fixable = sum(d.fix is not None for d in found)
    told = (
        f"{_counted(files, 'file')} checked: {_counted(errors, 'error')}, "
        f"{_counted(len(found) - errors, 'warning')}."
    )
    return f"{told} `--fix` mends {fixable} of them." if fixable else told


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"
