"""Makes a new project: the same files as the repository's own root."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow_dagster import __version__
from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.schema import document_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = Path(__file__).parent.parent
_FILES = ("definitions.py", "workspace.yaml")
_FOLDERS = ("resources", "notebooks")
_IGNORED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
_GITIGNORE = ".agentflow/\n.env\n__pycache__/\n.ipynb_checkpoints/\n.tmp_dagster_home*/\nopened/\n"


_SCHEMA = "schema/agentflow-v1.json"


def scaffold(directory: Path) -> list[str]:
    """Makes the project; the files that it wrote, relative to the folder.

    Every agent names the schema in its first line, so that editors complete its fields.

    Raises:
        UsageError: the folder holds something already.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory} exists and is not empty.", hint="Name a new folder.")
    from agentflow_dagster.nodes import all_kinds

    source = template_root()
    directory.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copyfile(source / name, directory / name)
    for name in _FOLDERS:
        shutil.copytree(source / name, directory / name, ignore=_IGNORED)
    (directory / _SCHEMA).parent.mkdir()
    (directory / _SCHEMA).write_text(json.dumps(document_schema(all_kinds()), indent=2) + "\n")
    for agent in (directory / "notebooks").glob("*.agent.yaml"):
        text = agent.read_text(encoding="utf-8")
        agent.write_text(f"# yaml-language-server: $schema=../{_SCHEMA}\n{text}", encoding="utf-8")
    (directory / ".gitignore").write_text(_GITIGNORE)
    (directory / "pyproject.toml").write_text(_pyproject(directory.resolve().name))
    return sorted(_listed(directory))


def template_root() -> Path:
    """Where the files of a new project are: in the wheel, or at a checkout's root.

    Raises:
        UsageError: this installation has neither.
    """
    for root in (_PACKAGE / "_project", _PACKAGE.parent):
        if (root / "definitions.py").is_file():
            return root
    raise UsageError(
        "This installation of agentflow-dagster lacks the files of a new project.",
        hint="Install it again.",
    )


def _listed(directory: Path) -> Iterator[str]:
    for path in directory.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(directory))


def _pyproject(name: str) -> str:
    safe = "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-") or "agents"
    return f"""\
[project]
name = "{safe}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["agentflow-dagster>={__version__}"]

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "resources"
code_location_name = "agentflow"
code_location_target_module = "definitions"
"""
