"""The import contracts in pyproject.toml are not only kept but bite: each is broken on purpose."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.architecture.tracked import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = "agentflow_dagster"


def lint_imports(folder: Path, *, contract: str = "") -> subprocess.CompletedProcess[str]:
    """Runs import-linter on the package in `folder`, under this repository's contracts."""
    return subprocess.run(
        [
            f"{sys.prefix}/bin/lint-imports",
            "--config",
            str(folder / "pyproject.toml"),
            "--no-cache",
            "--no-logo",
            *(["--contract", contract] if contract else []),
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and its contracts, to spoil."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(
        ROOT / PACKAGE, tmp_path / PACKAGE, ignore=shutil.ignore_patterns("*.onnx", "__pycache__")
    )
    return tmp_path


def test_contracts_are_kept() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("spec/values.py", "import agentflow_dagster.graph.plan", "layers"),
        ("nodes/ai_chat.py", "import agentflow_dagster.stores.tables", "layers"),
        ("ports/stores.py", "import agentflow_dagster.operations", "layers"),
        ("graph/plan.py", "import dagster", "core"),
        ("engine/step.py", "from sqlalchemy.orm import Session", "core"),
        ("ports/model.py", "from jupyter_client import KernelClient", "core"),
        ("nodes/ai_chat.py", "def late():\n    import dagster", "dagster"),
        ("operations/__init__.py", "from dagster import Definitions", "dagster"),
    ],
)
def test_violation_is_found(copy: Path, module: str, line: str, contract: str) -> None:
    with (copy / PACKAGE / module).open("a") as file:
        file.write(f"\n\n{line}\n")
    done = lint_imports(copy, contract=contract)
    assert done.returncode == 1
    spoilt = f"{PACKAGE}.{module}".removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert f"- {spoilt} -> " in done.stdout.replace("-   ", "- "), done.stdout


def test_room_outside_the_map_is_found(copy: Path) -> None:
    (copy / PACKAGE / "attic").mkdir()
    (copy / PACKAGE / "attic" / "__init__.py").touch()
    done = lint_imports(copy, contract="layers")
    assert done.returncode == 1
    assert "attic" in done.stdout
