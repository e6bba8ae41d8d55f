"""Tables as a notebook shows them: HTML in the colours of its theme, plain text elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TABLE = (
    "border-collapse: collapse; margin: 4px 0; color: inherit; "
    "font-family: var(--jp-ui-font-family, sans-serif); font-size: var(--jp-ui-font-size1, 13px)"
)
_CELL = (
    "text-align: {align}; padding: 3px 12px 3px 0; vertical-align: top; white-space: pre-wrap; "
    "background: none; border: none; border-bottom: 1px solid var(--jp-border-color2, #e0e0e0)"
)
_ROW = '<tr style="background: none">'  # where JupyterLab would have stripes
_QUIET = "opacity: 0.7"
_CODE = (
    "font-family: var(--jp-code-font-family, monospace); white-space: pre-wrap; "
    "font-size: var(--jp-code-font-size, 13px); overflow-wrap: anywhere"
)
_DIFF = {
    "+": "color: var(--jp-success-color0, #2e7d32)",
    "-": "color: var(--jp-error-color1, #d32f2f)",
    "@": "opacity: 0.6",
}


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads somewhere."""

    text: str
    url: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a title.

    Args:
        title: What it is.
        columns: Their heads; one that begins with `>` has its texts at the right. Heads that are
            all empty are not shown.
        rows: The texts, as many in each as there are columns.
        note: A line below.
        empty: What stands in place of rows where there are none.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str | Link]]
    note: str = ""
    empty: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.as_text(), "text/html": self.as_html()}

    def as_text(self) -> str:
        """Columns that stand below each other."""
        lines = [self.title] if self.title else []
        heads = [head.removeprefix(">") for head in self.columns]
        rows = [[str(text) for text in row] for row in self.rows]
        shown = [heads, *rows] if any(heads) else rows
        widths = [max(len(row[i]) for row in shown) for i in range(len(heads))] if shown else []
        for row in shown if rows else ():
            fitted = [
                text.rjust(width) if head.startswith(">") else text.ljust(width)
                for text, width, head in zip(row, widths, self.columns, strict=True)
            ]
            lines.append(("  " + "  ".join(fitted)).rstrip())
        if not rows and self.empty:
            lines.append(f"  {self.empty}")
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def as_html(self) -> str:
        """A table; links open beside the notebook."""
        head = ""
        if self.rows and any(self.columns):
            head = _ROW + "".join(_cell("th", name, name) for name in self.columns) + "</tr>"
        body = "".join(
            _ROW
            + "".join(_cell("td", c, t) for c, t in zip(self.columns, row, strict=True))
            + "</tr>"
            for row in self.rows
        )
        title = f"<div><b>{escape(self.title)}</b></div>" if self.title else ""
        if not self.rows:
            title += f'<div style="{_QUIET}">{escape(self.empty)}</div>'
        note = f'<div style="{_QUIET}">{escape(self.note)}</div>' if self.note else ""
        table = f'<table style="{_TABLE}">{head}{body}</table>' if self.rows else ""
        return f'<div style="{_TABLE}">{title}{table}{note}</div>'


def _cell(tag: str, column: str, text: str | Link) -> str:
    style = _CELL.format(align="right" if column.startswith(">") else "left")
    if tag == "th":
        return f'<th style="{style}; font-weight: 600">{escape(str(text).removeprefix(">"))}</th>'
    if isinstance(text, Link) and _is_safe(text.url):
        inner = (
            f'<a href="{escape(text.url)}" target="_blank" rel="noopener">{escape(text.text)}</a>'
        )
    else:
        inner = escape(str(text))
    if "\n" in str(text):
        style += f"; {_CODE}"
    return f'<td style="{style}">{inner}</td>'


def _is_safe(url: str) -> bool:
    """Whether a link leads to a page or a file beside the notebook, and runs nothing."""
    return url.startswith(("http://", "https://")) or (bool(url) and ":" not in url)


@dataclass(frozen=True, slots=True)
class Diff:
    """A unified diff under a title."""

    title: str
    text: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.as_text(), "text/html": self.as_html()}

    def as_text(self) -> str:
        """The diff as it is."""
        return f"{self.title}\n{self.text}".rstrip("\n")

    def as_html(self) -> str:
        """What came and went in the colours of the theme."""
        lines = "".join(
            f'<div style="{_DIFF.get(line[:1], "")}">{escape(line) or " "}</div>'
            for line in self.text.splitlines()
        )
        return (
            f'<div style="{_TABLE}"><b>{escape(self.title)}</b>'
            f'<div style="{_CODE}">{lines}</div></div>'
        )


@dataclass(frozen=True, slots=True)
class Stack:
    """Things shown one below the other."""

    parts: Sequence[Table | Diff]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {
            "text/plain": "\n".join(part.as_text() for part in self.parts),
            "text/html": "".join(part.as_html() for part in self.parts),
        }
