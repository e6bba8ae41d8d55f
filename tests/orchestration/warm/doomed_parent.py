"""A warm parent that dies at the first run that it is asked for: before it forks, or after, and
before it answers. Run as `python -m … before|after --socket …`."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from agentflow_dagster.orchestration.warm import __main__ as program
from agentflow_dagster.orchestration.warm import children, parent
from agentflow_dagster.orchestration.warm.forking import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def main() -> None:
    """Serves until it dies."""
    when = sys.argv.pop(1)

    def fork_and_die(
        work: Callable[[], int], *, inherited: Sequence[int], output: Sequence[int] = ()
    ) -> int:
        is_run = isinstance(work, partial) and work.func is children.carry_out
        if is_run and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        pid = fork(work, inherited=inherited, output=output)
        if is_run:
            os.kill(os.getpid(), signal.SIGKILL)
        return pid

    parent.fork = fork_and_die
    program.main()


if __name__ == "__main__":
    main()
