"""Runs one notebook; it goes to the code runner as it stands, and imports `spec.values` alone."""

import json
import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from agentflow_dagster.spec.values import Part, join

KEEP = """\
def __agentflow_keep(names, folder):
    import json, pathlib
    from agentflow_dagster.spec.values import pack, split
    missing = [name for name in names if name not in globals()]
    if missing:
        raise NameError(f"{missing[0]!r} is not defined at the end of the notebook")
    body, parts = split(pack({name: globals()[name] for name in names}))
    told = {"body": body, "parts": {}}
    for number, (key, part) in enumerate(parts.items()):
        pathlib.Path(folder, str(number)).write_bytes(part.data)
        told["parts"][key] = [number, part.media_type, dict(part.summary)]
    pathlib.Path(folder, "outputs.json").write_text(json.dumps(told))
"""


def work(notebook: str, parameters: dict[str, Any], outputs: list[str]) -> dict[str, Any]:
    """Gives `{outputs, executed}`, or `{failure, traceback}` that names the cell."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR"):
        os.environ[name] = str(Path.cwd() / ".jupyter")
    nbformat: Any = import_module("nbformat")
    papermill: Any = import_module("papermill")
    kept = Path.cwd() / "kept"
    kept.mkdir()
    document = nbformat.reads(notebook, as_version=4)
    last = nbformat.v4.new_code_cell(f"{KEEP}\n__agentflow_keep({outputs!r}, {str(kept)!r})")
    last.metadata["tags"] = ["agentflow-outputs"]
    document.cells.append(last)
    nbformat.write(document, "given.ipynb")
    try:
        papermill.execute_notebook(
            "given.ipynb",
            "executed.ipynb",
            parameters=parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            log_output=False,
        )
    except papermill.PapermillExecutionError as problem:
        number = _number(problem.cell_index, parameters)
        return {
            "failure": f"cell {number} raised {problem.ename}: {problem.evalue}",
            "traceback": re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(problem.traceback)),
        }
    told = json.loads((kept / "outputs.json").read_text())
    parts = {
        key: Part(media_type, (kept / str(number)).read_bytes(), summary)
        for key, (number, media_type, summary) in told["parts"].items()
    }
    executed = nbformat.read("executed.ipynb", as_version=4)
    executed.cells.pop()
    data = nbformat.writes(executed).encode()
    return {
        "outputs": join(told["body"], parts),
        "executed": Part("application/octet-stream", data, {"bytes": len(data)}),
    }


def _number(index: int, parameters: dict[str, Any]) -> int:
    """The cell's number in the author's notebook, from 1: papermill puts in one of its own."""
    return index if parameters else index + 1
