"""Runs notebooks by papermill, each in a process apart from this one."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.code import CodeRequest
from agentflow_dagster.ports.notebooks import NotebookResult

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.ports.code import CodeRunner
    from agentflow_dagster.ports.notebooks import NotebookRequest
    from agentflow_dagster.spec.values import Part, Value

MAX_BYTES = 50 * 1024**2
"""Largest notebook that is run."""


@dataclass(frozen=True, slots=True)
class PapermillNotebooks:
    """Runs the notebooks of a folder.

    Args:
        folder: No notebook outside it is run.
        code: Runs papermill; the kernel is a process of its own below it, and ends with it.
    """

    folder: Path
    code: CodeRunner

    async def run(self, request: NotebookRequest) -> NotebookResult:
        """Runs a notebook from its first cell to its last."""
        source = (
            files("agentflow_dagster.notebook")
            .joinpath("_papermill_apart.py")
            .read_text(encoding="utf-8")
        )
        given: dict[str, Value] = {
            "notebook": self._text(request.notebook),
            "parameters": cast("Value", dict(request.parameters)),
            "outputs": list(request.outputs),
        }
        done = await self.code.run(
            CodeRequest(
                source=f"{source}\n\ndone = work(**given)\n",
                inputs={"given": given},
                outputs=("done",),
                filename=f"<notebook {request.notebook}>",
                timeout=request.timeout,
                memory_bytes=request.memory_bytes,
            )
        )
        told = cast("dict[str, Value]", done.outputs["done"])
        if "failure" in told:
            raise RunError(
                f"{request.notebook}: {told['failure']}",
                hint="Run the notebook with these parameters in JupyterLab.",
                traceback=str(told.get("traceback") or ""),
            )
        executed = cast("Part", told["executed"])
        return NotebookResult(cast("dict[str, Value]", told["outputs"]), executed.data)

    def _text(self, notebook: str) -> str:
        root = self.folder.resolve()
        path = (root / notebook).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise RunError(
                f"There is no notebook {notebook!r} in the folder of notebooks.", retryable=False
            )
        if path.stat().st_size > MAX_BYTES:
            raise RunError(
                f"{notebook} has more than {MAX_BYTES // 1024**2} MiB.",
                hint="Clear its outputs.",
                retryable=False,
            )
        return path.read_text(encoding="utf-8")
