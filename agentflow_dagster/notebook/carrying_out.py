"""A notebook's run in a thread of its own: papermill, and what its end means."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError

from agentflow_dagster.errors import NotebookFailed
from agentflow_dagster.notebook.papermill_client import LeavingFailed, close_loop
from agentflow_dagster.notebook.papermill_engine import replace_file
from agentflow_dagster.notebook.shown_notebook import shown_notebook
from agentflow_dagster.notebook.sitting import Sitting
from agentflow_dagster.ports.notebooks import NotebookResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agentflow_dagster.notebook.kernels import Lease
    from agentflow_dagster.ports.notebooks import NotebookRequest
    from agentflow_dagster.spec.values import JsonObject

ENGINE = "agentflow"
"""The name of our engine among papermill's."""
_INJECTED = "injected-parameters"


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done.

    Args:
        request: What was asked.
        text: The notebook.
        parameters: What papermill puts in.
        place: Where it is kept; None keeps it nowhere.
    """

    request: NotebookRequest
    text: str
    parameters: JsonObject
    place: Path | None

    @property
    def kept(self) -> str:
        """Where it is kept, as others are told."""
        return str(self.place or "")

    def sitting(self, lease: Lease, *, tell: Callable[[str], object]) -> Sitting:
        """What the engine is handed; `tell` is told of each cell."""
        name, place, request = self.request.notebook, self.place, self.request

        def save(document: object) -> None:
            if place is not None:
                text = request.redacted(_written(document))
                replace_file(place, shown_notebook(text, request.shown))

        def began(index: int, count: int) -> None:
            tell(f"{name}: cell {index + 1} of {count}")

        return Sitting(
            lease,
            name=name,
            save=save,
            began=began,
            wanted=self.request.outputs,
        )

    def late(self, sitting: Sitting, where: NotebookFailed | None) -> NotebookFailed:
        """The error of a notebook that was still at work at its limit."""
        return NotebookFailed(
            f"{self.request.notebook}: {self._cell(sitting)} was still running after the limit of "
            f"{self.request.timeout:g} s.",
            hint="Raise the node's `timeout`, or have the notebook do less.",
            notebook=self.kept,
            traceback=where.traceback if where else "",
        )

    def failed(
        self, message: str, *, hint: str = "", traceback: str = "", retryable: bool = True
    ) -> NotebookFailed:
        """An error of this notebook's."""
        return NotebookFailed(
            f"{self.request.notebook}: {message}",
            hint=hint,
            notebook=self.kept,
            traceback=traceback,
            retryable=retryable,
        )

    def number(self, index: int) -> int:
        """A cell's number in the author's notebook, from 1: papermill puts in one of its own."""
        cells = cast("Any", nbformat).reads(self.text, as_version=4).cells
        tagged = [_tags(cell) for cell in cells]
        if not self.parameters or any(_INJECTED in tags for tags in tagged):
            return index + 1
        before = next((i for i, tags in enumerate(tagged) if "parameters" in tags), -1)
        return index if index > before else index + 1

    def dead(self, sitting: Sitting) -> NotebookFailed:
        """The error of a kernel that ended by itself."""
        ended = sitting.kernel.ended()
        status = ended.status if ended else None
        cell, limit = self._cell(sitting), self.request.memory_bytes / 1024**2
        memory = f"It may have gone past its memory limit of {limit:,.0f} MiB."
        if status is None:
            return self.failed(f"the kernel was ended in {cell}.")
        if status >= 0:
            told = f"{cell} ended its kernel with exit status {status} (os._exit, or a library)."
            return self.failed(told)
        if status == -signal.SIGKILL:
            told = f"the kernel was killed in {cell} (SIGKILL)."
            return self.failed(told, hint="The machine may have run out of memory.")
        name = signal.Signals(-status).name
        said = ended.said if ended else ""
        return self.failed(f"{cell} crashed its kernel ({name}).", hint=memory, traceback=said)

    def _cell(self, sitting: Sitting) -> str:
        return "its start" if sitting.cell is None else f"cell {self.number(sitting.cell)}"


def carry_out(work: Work, sitting: Sitting) -> NotebookResult:
    """Runs a notebook to its end.

    Raises:
        NotebookFailed: see `Notebooks.run`.
    """
    try:
        document = _executed(work, sitting)
    finally:
        close_loop()
        sitting.kernel.close()
    missing = [name for name in work.request.outputs if name not in sitting.left]
    if missing:
        glued = f" It glues {', '.join(sitting.left)}." if sitting.left else ""
        raise work.failed(
            f"it leaves no {missing[0]!r}: it neither glues nor defines it.",
            hint=f"Name what it leaves in `outputs`.{glued}",
            retryable=False,
        )
    names = work.request.outputs or tuple(sitting.left)
    text = work.request.redacted(_written(document))
    outputs = {name: sitting.left[name] for name in names}
    return NotebookResult(outputs, text.encode(), work.kept)


def _executed(work: Work, sitting: Sitting) -> object:
    document = cast("Any", nbformat).reads(work.text, as_version=4)
    try:
        return cast("Any", papermill).execute_notebook(
            document,
            None,
            parameters=dict(work.parameters),
            engine_name=ENGINE,
            kernel_name=work.request.kernel,
            language=_language(document),
            progress_bar=False,
            sitting=sitting,
        )
    except papermill.PapermillExecutionError as problem:
        raise _cell_failed(work, sitting, problem) from None
    except DeadKernelError:
        raise work.dead(sitting) from None
    except LeavingFailed as problem:
        raise work.failed(str(problem), retryable=False) from None


def _language(document: Any) -> str:
    """In which papermill writes the parameters; Python's where the notebook does not say."""
    told = document.metadata
    return (
        told.get("kernelspec", {}).get("language")
        or told.get("language_info", {}).get("name")
        or "python"
    )


def _cell_failed(work: Work, sitting: Sitting, failure: Exception) -> NotebookFailed:
    problem = cast("Any", failure)
    if sitting.document is not None:  # Papermill marks the place in the notebook.
        sitting.save(sitting.document)
    cell = f"cell {work.number(problem.cell_index)}"
    where = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(problem.traceback))
    if problem.ename == "MemoryError":
        limit = work.request.memory_bytes / 1024**2
        told = f"{cell} went past its memory limit of {limit:,.0f} MiB."
        return work.failed(told, traceback=where, retryable=False)
    return work.failed(
        f"{cell} raised {problem.ename}: {problem.evalue}",
        hint="Run the notebook with these parameters in JupyterLab.",
        traceback=where,
    )


def _written(document: object) -> str:
    return cast("Any", nbformat).writes(document)


def _tags(cell: Any) -> list[str]:
    return cell.metadata.get("tags", [])
