"""The summary of a node as HTML, in the colours of JupyterLab's theme, light or dark."""

from __future__ import annotations

from difflib import SequenceMatcher
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.jupyter.summary import NodeSummary

_SHOWN = 8
_BOX = (
    "border-left: 3px solid {edge}; padding: 4px 10px; margin: 4px 0; color: inherit; "
    "font-family: var(--jp-ui-font-family, sans-serif); font-size: var(--jp-ui-font-size1, 13px)"
)
_SOUND = "var(--jp-brand-color1, #2196f3)"
_STALE = "var(--jp-warn-color1, #f57c00)"
_IDLE = "var(--jp-border-color1, #bdbdbd)"
_QUIET = "opacity: 0.7"
_WARNING = f"border-left: 3px solid {_STALE}; padding-left: 6px; margin: 4px 0"
_CODE = "font-family: var(--jp-code-font-family, monospace)"
_OTHER = "background: color-mix(in srgb, var(--jp-brand-color1, #2196f3) 22%, transparent)"
_OUTPUT = (
    "white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24em; overflow: auto; "
    "margin: 6px 0 2px; padding: 0; background: none; color: inherit; "
    "font-family: var(--jp-code-font-family, monospace); "
    "font-size: var(--jp-code-font-size, 13px)"
)


def as_html(summary: NodeSummary) -> str:
    """A small box: how it went, what it read and gave, what it gave as text."""
    made = [(m.name, m.what + (", stays in this node" if m.stays else ""), m.stays)
            for m in summary.makes]  # fmt: skip
    rows = [
        ("reads", [(r.name, f"from {r.maker}" if r.maker else "", "") for r in summary.reads]),
        ("makes", made),
        ("read by", [(name, "", "") for name in summary.readers]),
    ]
    head = f"<b>{escape(summary.node)}</b> "
    facts = " \N{MIDDLE DOT} ".join(filter(None, (summary.kind, *summary.facts)))
    head += f'<span style="{_QUIET}">{escape(facts)}</span>'
    body = "".join(_row(title, items) for title, items in rows if items)
    if summary.stale:
        changed = ", ".join(summary.stale)
        text = f"Out of date: {changed} changed since. Run this cell again."
        body = _told(text) + body
    body += "".join(_told(warning) for warning in summary.warnings)
    if summary.before:
        body += _beside(summary.before, summary.output)
    elif summary.output:
        body += f'<pre style="{_OUTPUT}">{escape(summary.output)}</pre>'
    edge = _STALE if summary.stale else _IDLE if summary.skipped else _SOUND
    return f'<div style="{_BOX.format(edge=edge)}"><div>{head}</div>{body}</div>'


def _beside(before: str, now: str) -> str:
    """What a node gave in the run, and what it gave now; lines that differ stand out."""
    old, new = before.splitlines(), now.splitlines()
    same = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    kept = (
        {b.a + i for b in same for i in range(b.size)},
        {b.b + i for b in same for i in range(b.size)},
    )
    title = "as in the run" if before == now else "now"
    columns = (("in the run", old, kept[0]), (title, new, kept[1]))
    return (
        '<div style="display: flex; gap: 24px">'
        + "".join(
            f'<div style="flex: 1; min-width: 0"><span style="{_QUIET}">{head}</span>'
            f'<pre style="{_OUTPUT}">{_marked(lines, alike)}</pre></div>'
            for head, lines, alike in columns
        )
        + "</div>"
    )


def _marked(lines: list[str], alike: set[int]) -> str:
    return "\n".join(
        escape(line) if index in alike else f'<span style="{_OTHER}">{escape(line)}</span>'
        for index, line in enumerate(lines)
    )


def _told(text: str) -> str:
    return f'<div style="{_WARNING}">{escape(text)}</div>'


def _row(title: str, items: list[tuple[str, str, str]]) -> str:
    """One line: names with what is said of each, and more in a tooltip."""
    cells = ", ".join(_item(*item) for item in items[:_SHOWN])
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f'<div><span style="{_QUIET}">{title}</span> {cells}{more}</div>'


def _item(name: str, what: str, more: str) -> str:
    said = f' <span style="{_QUIET}">{escape(what)}</span>' if what else ""
    return f'<span title="{escape(more)}"><span style="{_CODE}">{escape(name)}</span>{said}</span>'
