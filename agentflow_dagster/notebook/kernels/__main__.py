"""The pool's process; a script, so that it can begin anew with nothing but what kernels may see.

python __main__.py --socket PATH     serves whoever connects
python __main__.py --line NUMBER     serves one borrower, over an inherited socket
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":  # the package may run from a folder that is not installed
    del sys.path[0]  # This file's own; kernels put theirs in, which -P would keep them from.
    _root = __file__.rsplit(os.sep, 4)[0]
    if _root not in sys.path:
        _sites = [i for i, path in enumerate(sys.path) if path.endswith("site-packages")]
        sys.path.insert(_sites[0] if _sites else len(sys.path), _root)

from agentflow_dagster.engine.apart import authors_environment
from agentflow_dagster.engine.owners_sockets import listening


def main() -> None:
    """Has kernels ready until it is told to end, or its only borrower is gone."""
    parser = argparse.ArgumentParser(description="Has kernels ready for notebooks.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", type=Path, help="where to listen")
    where.add_argument("--line", type=int, help="the socket of the only borrower")
    parser.add_argument("--ready", type=int, default=2, help="how many stand by")
    parser.add_argument("--after", type=float, default=0.0, help="seconds before it gets ready")
    parser.add_argument("--import", nargs="*", default=[], dest="imports", help="modules")
    given = parser.parse_args()
    _forget_the_environment()
    from agentflow_dagster.notebook.kernels.broker import Broker
    from agentflow_dagster.notebook.kernels.forking import LONGEST_FOLDER

    base = Path(tempfile.mkdtemp(prefix="kernels-"))
    if len(str(base)) > LONGEST_FOLDER:
        base.rmdir()
        base = Path(tempfile.mkdtemp(prefix="kernels-", dir="/tmp"))
    broker = Broker(base, ready=given.ready, imports=given.imports, after=given.after)
    try:
        if given.socket is not None:
            with listening(given.socket) as listener:
                broker.serve(listener)
        else:
            broker.serve_one(socket.socket(fileno=given.line))
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _forget_the_environment() -> None:
    """Begins anew where there is more than kernels may see: a fork shows what its parent began
    with, whatever that has put away since."""
    scratch = Path(tempfile.gettempdir())
    wanted = authors_environment(os.environ, scratch)
    if dict(os.environ) != wanted:
        options = ["-s", "-X", "utf8"]
        os.execve(sys.executable, [sys.executable, *options, *sys.argv], wanted)


if __name__ == "__main__":
    main()
