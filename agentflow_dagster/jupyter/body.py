"""Runs the body of a `%%node` cell as it will run in production: plain Python, nothing awaited.

An error leaves as an error, so that papermill and nbclient stop at it. (IPython's own `UsageError`
is printed and passed over by papermill.)
"""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

ErrorT = TypeVar("ErrorT", bound=BaseException)


def run_body(shell: InteractiveShell, source: str) -> None:
    """Runs it in the notebook's namespace and shows the value of a last expression.

    Lines count as the editor shows them, and the code has the name that JupyterLab's debugger gives
    the whole cell, so that breakpoints in it hold.

    Raises:
        BaseException: whatever the body raises.
    """
    from IPython.core.displayhook import DisplayHook

    namespace = namespace_of(shell)
    whole, above = _whole_cell(shell, source)
    text = "\n" * above + source
    filename = shell.compile.cache(text, shell.execution_count, raw_code=whole)
    statements = ast.parse(text, filename).body
    shown: list[ast.stmt] = []
    silenced = cast("Any", DisplayHook).semicolon_at_end_of_expression(source)
    if statements and isinstance(statements[-1], ast.Expr) and not silenced:
        shown = [statements.pop()]
    body = compile(ast.Module(statements, []), filename, "exec", dont_inherit=True)
    last = compile(ast.Interactive(shown), filename, "single", dont_inherit=True)
    try:
        exec(body, namespace)  # noqa: S102 # the author's own code, in the author's own kernel
        exec(last, namespace)  # noqa: S102
    except BaseException as error:
        _show_authors_lines(shell, error)
        raise


def _whole_cell(shell: InteractiveShell, source: str) -> tuple[str, int]:
    """The text of the cell at work, and how many of its lines stand above the body."""
    kernel = cast("Any", getattr(shell, "kernel", None))
    request = cast("dict[str, Any]", (kernel and kernel.get_parent("shell")) or {})
    whole = str(request.get("content", {}).get("code", ""))
    at = whole.rfind(source.rstrip("\n"))
    return (whole, whole.count("\n", 0, at)) if at > 0 else ("\n" + source, 1)


def namespace_of(shell: InteractiveShell) -> dict[str, object]:
    """The notebook's names."""
    return cast("dict[str, object]", cast("Any", shell).user_ns)


def told_briefly(error: ErrorT) -> ErrorT:
    """The error, to be shown by IPython as one line without a traceback."""
    return _rendered(error, [f"{type(error).__name__}: {error}"])


def _show_authors_lines(shell: InteractiveShell, error: BaseException) -> None:
    """Leaves the frames of IPython and of this file out of the traceback."""
    authors = error.__traceback__.tb_next if error.__traceback__ else None
    if authors is not None:
        _rendered(
            error,
            shell.InteractiveTB.structured_traceback(type(error), error, authors, tb_offset=0),
        )


def _rendered(error: ErrorT, lines: list[str]) -> ErrorT:
    """Gives an error the method by which IPython asks it for its traceback."""
    with suppress(AttributeError, TypeError):  # an author's class may refuse: then all is shown
        error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
    return error
