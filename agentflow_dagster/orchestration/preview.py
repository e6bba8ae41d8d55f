"""What a step put out, as Markdown for Dagster's UI: JSON, and the first rows of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.engine.redaction_rules import NO_RULES
from agentflow_dagster.spec.values import TABLE, Part, preview

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.engine.redaction_rules import Rules
    from agentflow_dagster.spec.values import Value

_TABLES = 3
_ROWS = 5
_COLUMNS = 12
_LETTERS = 60
_INDEX = "__index_level_"
"""How Arrow calls the columns that hold a frame's index."""


def markdown(value: Value, rules: Rules = NO_RULES) -> str:
    """A few thousand characters at most, as the rules show them."""
    tables = list(_tables(value, ""))
    shown = [_table(path, part, rules) for path, part in tables[:_TABLES]]
    if not (tables and isinstance(value, Part)):
        shown.append(f"```json\n{preview(_told(value), shown=rules.text)}\n```")
    return "\n\n".join(shown)


def _told(value: Value) -> Value:
    """The value with what is known of its parts in their places."""
    match value:
        case Part():
            return cast("Value", dict(value.summary))
        case dict():
            return {name: _told(inner) for name, inner in value.items()}
        case list():
            return [_told(inner) for inner in value]
        case _:
            return value


def _tables(value: Value, path: str) -> Iterator[tuple[str, Part]]:
    """A value's tables with the names of the fields that hold them; not those in lists."""
    if isinstance(value, Part):
        if value.media_type == TABLE:
            yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _tables(inner, f"{path}.{name}" if path else name)


def _table(path: str, part: Part, rules: Rules) -> str:
    import pyarrow as pa

    table = pa.ipc.open_stream(part.data).read_all()
    names = [name for name in table.column_names if not name.startswith(_INDEX)][:_COLUMNS]
    rows: list[dict[str, Any]] = table.select(names).slice(0, _ROWS).to_pylist()
    lines = [_line(names, rules), _line(["---"] * len(names), NO_RULES)]
    lines += [_line([row[name] for name in names], rules) for row in rows]
    more = f", the first {_ROWS} of them" if table.num_rows > _ROWS else ""
    title = f"{_cell(path, rules)}: " if path else ""
    return f"{title}{table.num_rows} rows{more}\n\n" + "\n".join(lines)


def _line(cells: list[Any], rules: Rules) -> str:
    return f"| {' | '.join(_cell(cell, rules) for cell in cells)} |"


def _cell(value: object, rules: Rules) -> str:
    """A text that ends neither its cell nor its row, and is no Markdown."""
    # Before it is cut: half of what is to be hidden is not found.
    text = rules.text(" ".join(("" if value is None else str(value)).split()))
    text = text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
    return "".join(f"\\{letter}" if letter in "\\|`*_[]<>" else letter for letter in text)
