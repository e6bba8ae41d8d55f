"""What runs print, kept by Dagster's own manager of such logs."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dagster._core.execution.compute_logs import (
    redirect_to_file,  # pyright: ignore[reportUnknownVariableType]
)
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import (
    IO_TYPE_EXTENSION,
    LocalComputeLogManager,
)
from dagster._utils import ensure_file

from agentflow_dagster.orchestration.cancellation import CURRENT

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from dagster._serdes import ConfigurableClassData


class RunLogs(LocalComputeLogManager):
    """Leaves a run that another run started to that run's log, and prints nothing elsewhere too.

    Dagster captures what the whole process prints; two captures that overlap in time, as those of
    runs side by side in one process do, would leave it printing into a closed file. And it starts
    four processes for each run, to copy what it captures to where the process printed before: to
    start them takes longer than many a run.
    """

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, object]
    ) -> RunLogs:
        return cls(str(config_value["base_dir"]), inst_data=inst_data)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext]:
        if CURRENT.get() is not None:
            yield CapturedLogContext(log_key)
            return
        outputs, errors = (
            self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind]) for kind in ComputeIOType
        )
        for path in (outputs, errors):
            ensure_file(path)
        with redirect_to_file(sys.stdout, outputs), redirect_to_file(sys.stderr, errors):
            yield CapturedLogContext(log_key)
        # By which Dagster knows that there is no more to come.
        done = self.complete_artifact_path(log_key)  # pyright: ignore[reportUnknownMemberType]
        Path(done).touch()
