"""What the Jupyter server that started this kernel says of the kernel's notebook."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_PARENT_VARIABLE = "JPY_PARENT_PID"
_PATIENCE_SECONDS = 2.0


def notebook_on_server() -> Path | None:
    """The file that the kernel's notebook is at this moment: it may have another name than when
    the kernel was started, as every new notebook has once it was saved. None where no Jupyter
    server started this kernel, or none answers.
    """
    import httpx
    from ipykernel.connect import get_connection_file
    from jupyter_core.paths import jupyter_runtime_dir

    parent = os.environ.get(_PARENT_VARIABLE, "")
    told = Path(jupyter_runtime_dir()) / f"jpserver-{parent}.json"
    try:
        server: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
        kernel = Path(get_connection_file()).stem.removeprefix("kernel-")
        answer = httpx.get(
            f"{server['url']}api/sessions",
            headers={"Authorization": f"token {server['token']}"},
            timeout=_PATIENCE_SECONDS,
            trust_env=False,
        )
        sessions: list[dict[str, Any]] = answer.raise_for_status().json()
    except (OSError, ValueError, RuntimeError, httpx.HTTPError):
        return None
    for session in sessions:
        if session["kernel"] and session["kernel"]["id"] == kernel:
            # Where documents are shared, a drive's name stands before the path.
            return Path(server["root_dir"]) / session["path"].rpartition(":")[2]
    return None
