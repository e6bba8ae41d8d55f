"""Where the authors' own code runs, and which files nodes may read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource

if TYPE_CHECKING:
    from agentflow_dagster.ports.code import CodeRunner
    from agentflow_dagster.ports.notebooks import Notebooks


class CodeResource(ConfigurableResource[Any]):
    """A child process for each run of a `code.python` node, and for some work of other kinds.

    Args:
        output_megabytes: Most that one node may put out.
    """

    output_megabytes: int = 64

    def adapter(self) -> CodeRunner:
        """The code port."""
        from agentflow_dagster.sandbox import ChildProcess

        return ChildProcess(output_bytes=self.output_megabytes * 1024**2)

    def notebooks(self) -> Notebooks:
        """The notebooks port: `code.notebook` runs those of the project's folder `notebooks`."""
        from agentflow_dagster.notebook import PapermillNotebooks
        from agentflow_dagster.operations import Project

        project = Project.find(Path(__file__).parent)
        return PapermillNotebooks(project.root / "notebooks", project.run_files)

    def data(self) -> Path:
        """The folder whose files `transform.table` reads."""
        from agentflow_dagster.operations import Project

        return Project.find(Path(__file__).parent).data
