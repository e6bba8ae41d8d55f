"""What commands print: tables and progress for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from agentflow_dagster.orchestration.record import RunRecord
    from agentflow_dagster.spec.values import JsonValue

_STATUS_COLOURS = {
    "SUCCESS": "green",
    "FAILURE": "red",
    "CANCELED": "yellow",
    "HANDLED_ERROR": "yellow",
    "SKIPPED": "bright_black",
    "PASSED": "green",
    "FAILED": "red",
}

# Control characters, but tab and newline.
_COMMANDS = {n: "\ufffd" for n in (*range(32), *range(127, 160)) if n not in {9, 10}}


def print_json(value: JsonValue, *, indent: int | None = 2) -> None:
    """Prints JSON on stdout, escaped where the terminal's character set lacks a character."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(value, indent=indent)
    click.echo(text)


def shown(text: str) -> str:
    """Text that came from outside, without what a terminal would take for a command."""
    return text.translate(_COMMANDS)


@contextmanager
def progress() -> Generator[Callable[[str], None]]:
    """Something to tell progress to: a spinner on a terminal, else a line each, on stderr."""
    if not sys.stderr.isatty():
        yield lambda text: click.echo(f"{text} …", err=True)
        return
    from rich.console import Console

    with Console(stderr=True).status("Starting …") as status:
        yield lambda text: status.update(f"{text} …")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table on stdout; columns whose name begins with `>` are aligned right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(shown(title)), box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left")
    for row in rows:
        # As Text: a description such as "[/x]" would be taken for rich's markup.
        table.add_row(*(Text(shown(cell), style=_colour(cell)) for cell in row))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False).print(table)


def print_record(record: RunRecord) -> None:
    """Prints a run: its nodes, its outputs, its errors."""
    print_table(
        f"{record.agent} · run {record.run_id}",
        ["node", "kind", "status", ">latency", ">tokens", ">cost", "model"],
        [row[1:] for row in record_rows(record)],
    )
    for node in record.nodes:
        if node.error:
            click.secho(shown(f"{node.name}: {node.error}"), fg="red")
    if record.error and not any(node.error for node in record.nodes):
        click.secho(shown(record.error), fg="red")
    if record.outputs:
        click.echo("outputs:")
        print_json(record.outputs)
    seconds = f"{record.latency_ms / 1000:.1f} s" if record.latency_ms else "-"
    status = click.style(record.status, fg=_STATUS_COLOURS.get(record.status))
    click.echo(f"{status} in {seconds}, {cost_text(record.cost_usd)}")


def record_rows(record: RunRecord) -> list[list[str]]:
    """A table row for each node, the run's short id first."""
    return [
        [
            record.run_id[:8],
            node.name,
            node.kind,
            node.status + (f" x{node.attempts}" if node.attempts > 1 else ""),
            f"{node.latency_ms:,.0f} ms" if node.latency_ms else "-",
            f"{node.tokens_in}+{node.tokens_out}" if node.tokens_in else "-",
            cost_text(node.cost_usd) if node.model else "-",
            node.model or "-",
        ]
        for node in record.nodes
    ]


def cost_text(cost: float | None) -> str:
    """USD as a person reads it; a price that is not known is said to be so."""
    return "price not known" if cost is None else f"${cost:.6f}"


def _colour(cell: str) -> str:
    return _STATUS_COLOURS.get(cell.partition(" ")[0], "")
