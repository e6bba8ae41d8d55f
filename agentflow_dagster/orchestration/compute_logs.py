"""What runs print, kept by Dagster's own manager of such logs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from agentflow_dagster.orchestration.cancellation import CURRENT

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence


class RunLogs(LocalComputeLogManager):
    """Leaves a run that another run started to that run's log.

    Dagster captures what the whole process prints; two captures that overlap in time, as those of
    runs side by side in one process do, would leave it printing into a closed file.
    """

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext]:
        if CURRENT.get() is not None:
            yield CapturedLogContext(log_key)
            return
        with super().capture_logs(log_key) as captured:
            yield captured
