"""Starts the warm parent: listens first, so that who asks waits, and imports then."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
from pathlib import Path

from agentflow_dagster.engine.owners_sockets import listening
from agentflow_dagster.orchestration.warm.asking import LOGGER

_ONE_THREAD = "OPENBLAS_NUM_THREADS"


def main() -> None:
    """Serves until it is told to end."""
    parser = argparse.ArgumentParser(description="Forks runs and code servers.")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--first", nargs="*", default=[], help="modules to import before serving")
    parser.add_argument("--later", nargs="*", default=[], help="modules to import once idle")
    parser.add_argument(
        "--kill-after", type=float, default=20.0, help="seconds that an interrupted run may take"
    )
    chosen = parser.parse_args()
    _log_here()
    _import_without_threads()
    with listening(chosen.socket) as listener:
        for name in chosen.first:
            importlib.import_module(name)
        from agentflow_dagster.orchestration.instance import prepared_instance
        from agentflow_dagster.orchestration.warm.parent import WarmParent
        from agentflow_dagster.orchestration.warm.under_way import NOTES_VARIABLE, UnderWay

        lasting = os.environ.get(NOTES_VARIABLE)
        instance = prepared_instance(Path(os.environ["DAGSTER_HOME"]))
        parent = WarmParent(
            listener,
            instance,
            UnderWay(Path(lasting or f"{chosen.socket}.runs")),
            lasting=bool(lasting),
            later=chosen.later,
            kill_after=chosen.kill_after,
        )
        parent.run()


def _log_here() -> None:
    """Our own log alone: what children log is their affair."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger(LOGGER)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def _import_without_threads() -> None:
    """NumPy starts a thread for each core when it is imported; a fork would be without them."""
    if _ONE_THREAD not in os.environ:
        os.environ[_ONE_THREAD] = "1"
        os.register_at_fork(after_in_child=lambda: os.environ.pop(_ONE_THREAD, None))


if __name__ == "__main__":
    main()
