"""Runs the body of a `%%node` cell as it will run in production: plain Python, nothing awaited.

An error leaves as an error, so that papermill and nbclient stop at it. (IPython's own `UsageError`
is printed and passed over by papermill.)
"""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.notebook import CellNames, NodeLine, NotebookCell
from agentflow_dagster.notebook.reading import read_cell

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

ErrorT = TypeVar("ErrorT", bound=BaseException)


def read_body(name: str, source: str) -> CellNames:
    """What the body does with names.

    Raises:
        UsageError: it is not Python, or uses what only notebooks know, such as magics.
    """
    read = read_cell(NotebookCell(-1, "", "node", source, first_line=2, node=NodeLine(name)))
    for diagnostic in read.diagnostics:
        if diagnostic.severity == "error":
            message = f"Line {diagnostic.line}: {diagnostic.message}"
            raise told_briefly(UsageError(message, hint=diagnostic.hint))
    return read.names


def run_body(shell: InteractiveShell, source: str) -> None:
    """Runs it in the notebook's namespace and shows the value of a last expression.

    Lines count from the `%%node` line, as the editor shows them.

    Raises:
        BaseException: whatever the body raises.
    """
    from IPython.core.displayhook import DisplayHook

    namespace = namespace_of(shell)
    text = "\n" + source
    filename = shell.compile.cache(text, shell.execution_count)
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
