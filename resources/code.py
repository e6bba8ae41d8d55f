"""Where the authors' own code runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource

if TYPE_CHECKING:
    from agentflow_dagster.ports.code import CodeRunner


class CodeResource(ConfigurableResource[Any]):
    """A child process for each run of a `code.python` node.

    Args:
        output_megabytes: Most that one node may put out.
    """

    output_megabytes: int = 64

    def adapter(self) -> CodeRunner:
        """The code port."""
        from agentflow_dagster.sandbox import ChildProcess

        return ChildProcess(output_bytes=self.output_megabytes * 1024**2)
