"""What stands in for nodes in a test: they are not run, and leave what the test says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.kind import NodeResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import Value

_ROUND = re.compile(r"\[[0-9]+\]")


@dataclass(frozen=True, slots=True)
class StandIn:
    """What a node leaves that is not run.

    Args:
        output: Its value.
        port: The port that it leaves by.
        error: What it fails with; None where it does not fail.
    """

    output: Value = None
    port: str = "result"
    error: str | None = None

    def result(self) -> NodeResult:
        """What an attempt of the node gives.

        Raises:
            RunError: it is to fail.
        """
        if self.error is not None:
            raise RunError(self.error, retryable=False)
        return NodeResult(self.output, port=self.port)


def stand_in(path: str, known: Mapping[str, StandIn]) -> StandIn | None:
    """What stands in for the node at a path: for `each[2].draft`, then for `each.draft`."""
    return known.get(path) or known.get(_ROUND.sub("", path))
