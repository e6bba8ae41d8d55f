"""Our papermill engine: notebooks run in kernels of the pool, and are kept as they fill.

`papermill --engine agentflow IN OUT` finds it by its entry point. There the kernel works where the
command was given, without a limit of memory.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import nbformat
from papermill.engines import NBClientEngine, NotebookExecutionManager

from agentflow_dagster.notebook.kernels import Order, borrow
from agentflow_dagster.notebook.kernels.manager import BorrowedKernel
from agentflow_dagster.notebook.papermill_client import CellRunner
from agentflow_dagster.notebook.parameter_widgets import widgets_in, with_values

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from agentflow_dagster.notebook.sitting import Sitting


class AgentFlowEngine(NBClientEngine):
    """Runs a notebook in a borrowed kernel, which ends with it."""

    @classmethod
    def execute_notebook(  # pyright: ignore[reportIncompatibleMethodOverride] # asked by keywords
        cls, nb: NotebookNode, kernel_name: str, **options: object
    ) -> NotebookNode:
        """As papermill's own, but that what is kept of the notebook is never half a file."""
        given = cast("dict[str, Any]", options)
        own = {n: given.pop(n) for n in _Keeper.OPTIONS if n in given}
        _give_widgets(nb)
        keeper = cast("Any", _Keeper(nb, given.pop("sitting", None), log_output=False, **own))
        keeper.notebook_start()
        try:
            cls.execute_managed_notebook(keeper, kernel_name, **given)
        finally:
            keeper.cleanup_pbar()
            keeper.notebook_complete()
        return keeper.nb

    @classmethod
    def execute_managed_notebook(  # pyright: ignore[reportIncompatibleMethodOverride] # as above
        cls, nb_man: object, kernel_name: str, **options: object
    ) -> None:
        """Borrows a kernel, unless whoever runs the notebook has done so, and runs all cells."""
        sitting = cast("Any", nb_man).sitting
        lease = sitting.kernel if sitting else borrow(Order(kernel_name, folder=str(Path.cwd())))
        kernel = BorrowedKernel(lease)
        known = {"start_timeout": "startup_timeout", "execution_timeout": "timeout"}
        known |= {name: name for name in ("stdout_file", "stderr_file")}
        chosen = {known[name]: it for name, it in options.items() if name in known}
        cells = CellRunner(nb_man, km=kernel, **chosen)
        try:
            cells.run()
        finally:
            cells.close()
            if sitting is None:
                lease.close()


def _give_widgets(nb: NotebookNode) -> None:
    """Has what papermill put in be values of the widgets that the parameters cell makes."""
    tagged = [(set[str](cell.metadata.get("tags", ())), cell) for cell in nb.cells]
    widgets = {
        name: kind
        for tags, cell in tagged
        if "parameters" in tags
        for name, kind in widgets_in(cell.source).items()
    }
    for tags, cell in tagged:
        if "injected-parameters" in tags:
            cell.source = with_values(cell.source, widgets)


class _Keeper(NotebookExecutionManager):
    """Keeps the notebook as it fills: one file, replaced whole."""

    OPTIONS = ("output_path", "progress_bar", "autosave_cell_every")

    def __init__(self, nb: NotebookNode, sitting: Sitting | None, **options: Any) -> None:
        self.sitting = sitting
        cast("Any", super()).__init__(nb, **options)

    def save(self, **kwargs: Any) -> None:
        me = cast("Any", self)
        me.nb = kwargs.get("nb") or me.nb
        if self.sitting is not None:
            me.nb.metadata.papermill["input_path"] = self.sitting.name
            self.sitting.document = me.nb
            self.sitting.save(me.nb)
        elif me.output_path and _is_file(me.output_path):
            replace_file(Path(me.output_path), cast("Any", nbformat).writes(me.nb))
        else:
            cast("Any", super()).save()
        me.last_save_time = self.now()


def replace_file(path: Path, text: str) -> None:
    """Writes a file so that whoever reads it sees the old or the new, whole."""
    descriptor, scratch = tempfile.mkstemp(prefix=f".{path.stem[:60]}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _is_file(path: str) -> bool:
    return "://" not in path and path != "-"
