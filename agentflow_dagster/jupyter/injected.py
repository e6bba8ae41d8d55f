"""Parameters that papermill puts in, in a kernel that has loaded the extension: a widget has them
as its value, where they would take its place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_MARK = "# Parameters"
"""The first line of papermill's own cell."""


class InjectedParameters:
    """Changes the text of cells that papermill puts in, before IPython runs them.

    Args:
        shell: Whose; its names tell which are widgets.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def __call__(self, lines: list[str]) -> list[str]:
        """The lines of a cell as they are to run."""
        if not lines or lines[0].strip() != _MARK or "ipywidgets" not in sys.modules:
            return lines
        from ipywidgets import ValueWidget

        from agentflow_dagster.notebook.parameter_widgets import with_values

        names = cast("dict[str, object]", cast("Any", self._shell).user_ns)
        widgets = {n: type(it).__name__ for n, it in names.items() if isinstance(it, ValueWidget)}
        return with_values("".join(lines), widgets).splitlines(keepends=True)
