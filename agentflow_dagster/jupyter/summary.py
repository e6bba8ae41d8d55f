"""What a `%%node` cell shows when it has run: its time, what it read and what it made."""

from __future__ import annotations

import types
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.errors import ValueNotStorable
from agentflow_dagster.spec.values import pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agentflow_dagster.notebook import CellNames

_SHOWN = 8
_ROWS_TRIED = 1_000


@dataclass(frozen=True, slots=True)
class Read:
    """A name that the cell read, and the node that made its value; None where no node did."""

    name: str
    maker: str | None


@dataclass(frozen=True, slots=True)
class Made:
    """A name that the cell made.

    Args:
        name: The name.
        what: Its value in a few words.
        stays: Why no other node could read it; "" where one can.
    """

    name: str
    what: str
    stays: str = ""


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """One run of a node's cell, for display.

    Args:
        node: The node's name.
        seconds: How long the body ran.
        reads, makes: In the order of the text.
        warnings: What will be otherwise where the agent runs.
    """

    node: str
    seconds: float
    reads: tuple[Read, ...]
    makes: tuple[Made, ...]
    warnings: tuple[str, ...]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.as_text(), "text/html": self.as_html()}

    def as_text(self) -> str:
        """A few lines for terminals and logs."""
        lines = [f"node {self.node}: {_duration(self.seconds)}"]
        if self.reads:
            lines.append(f"  reads {', '.join(map(_read_text, self.reads))}")
        if self.makes:
            lines.append(f"  makes {', '.join(map(_made_text, self.makes))}")
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def as_html(self) -> str:
        """A small box in the colours of JupyterLab's theme, or of the page where there is none."""
        rows = [
            ("reads", [(r.name, f"from {r.maker}" if r.maker else "", "") for r in self.reads]),
            ("makes", [(m.name, m.what + _stays_text(m), m.stays) for m in self.makes]),
        ]
        body = "".join(_row(title, items) for title, items in rows if items)
        body += "".join(f'<div style="{_WARNING}">{escape(w)}</div>' for w in self.warnings)
        return (
            f'<div style="{_BOX}"><div><b>{escape(self.node)}</b> '
            f'<span style="{_QUIET}">{_duration(self.seconds)}</span></div>{body}</div>'
        )


_BOX = (
    "border-left: 3px solid var(--jp-brand-color1, #2196f3); padding: 4px 10px; margin: 4px 0; "
    "color: inherit; font-family: var(--jp-ui-font-family, sans-serif); "
    "font-size: var(--jp-ui-font-size1, 13px)"
)
_QUIET = "opacity: 0.7"
_WARNING = (
    "border-left: 3px solid var(--jp-warn-color1, #f57c00); padding-left: 6px; margin-top: 4px"
)
_CODE = "font-family: var(--jp-code-font-family, monospace)"


def summarize(
    node: str,
    seconds: float,
    reads: Iterable[Read],
    names: CellNames,
    namespace: Mapping[str, object],
) -> NodeSummary:
    """Looks at what the cell has left in the namespace."""
    makes = [
        name
        for name, binding in names.defines.items()
        if binding.kind == "value" and not name.startswith("_") and name in namespace
    ]
    warnings = [
        f"{name} was made elsewhere and is changed in place here: other nodes will not see that. "
        "Make a new value under a new name."
        for name in names.mutates
        if is_data(namespace.get(name))
    ]
    return NodeSummary(
        node,
        seconds,
        tuple(reads),
        tuple(
            Made(name, describe(namespace[name]), _not_storable(name, namespace[name]))
            for name in makes
        ),
        tuple(warnings),
    )


def is_data(value: object) -> bool:
    """Whether a value passes between nodes, rather than being shared code."""
    return not isinstance(value, types.ModuleType | type) and not callable(value)


def describe(value: object) -> str:
    """Type and size or value in a few words: `DataFrame 3 x 5`, `list of 4`, `'EUR'`."""
    name = type(value).__name__
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= 40 else f"{name} of {len(str(value)):,}"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        sizes = " \N{MULTIPLICATION SIGN} ".join(f"{n:,}" for n in cast("tuple[int, ...]", shape))
        return f"{name} {sizes}".strip()
    if isinstance(value, list | tuple | dict | set | frozenset | bytes | bytearray):
        return f"{name} of {len(cast('Sequence[object]', value)):,}"
    return name


def _not_storable(name: str, value: object) -> str:
    """Why no other node can read a value; "" where it can. Of a long table the head is tried."""
    if type(value).__name__ == "DataFrame" and hasattr(value, "head"):
        value = cast("Any", value).head(_ROWS_TRIED)
    try:
        pack({name: value})
    except (ValueNotStorable, RecursionError) as error:
        return str(error)
    return ""


def _read_text(read: Read) -> str:
    return f"{read.name} (from {read.maker})" if read.maker else read.name


def _made_text(made: Made) -> str:
    return f"{made.name} ({made.what}{_stays_text(made)})"


def _stays_text(made: Made) -> str:
    return ", stays in this node" if made.stays else ""


def _row(title: str, items: Sequence[tuple[str, str, str]]) -> str:
    """One line: names with what is said of each, and more in a tooltip."""
    cells = "".join(
        f'<span style="margin-right: 1em" title="{escape(more)}">'
        f'<span style="{_CODE}">{escape(name)}</span> '
        f'<span style="{_QUIET}">{escape(what)}</span></span>'
        for name, what, more in items[:_SHOWN]
    )
    more = f"and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f'<div><span style="{_QUIET}">{title}</span> {cells}{more}</div>'


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
