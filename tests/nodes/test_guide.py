"""The guide "add a node kind", followed to the letter: its package is built, and found by its entry
point; its agent passes the check; its test passes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "add-a-node-kind.md").read_text(encoding="utf-8")
AGENTFLOW = "from agentflow_dagster.cli import main; main()"
FILES = {"python": ("agentflow_mask.py", "test_mask.py"), "toml": ("pyproject.toml",)}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's folder, with the package unpacked under `installed`."""
    folder = tmp_path_factory.mktemp("mask")
    for language, names in {**FILES, "yaml": ("masked.agent.yaml",)}.items():
        blocks = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
        for name, block in zip(names, blocks, strict=True):
            (folder / name).write_text(block, encoding="utf-8")
    done(folder, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist")
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(folder / "installed")
    (folder / "agentflow_mask.py").unlink()
    return folder


def done(folder: Path, *arguments: str) -> str:
    """What a command prints, with the package installed."""
    path = os.pathsep.join([str(folder / "installed"), str(ROOT)])
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_its_agent_passes_the_check(package: Path) -> None:
    done(package, "-c", AGENTFLOW, "check", "masked.agent.yaml")


def test_its_page_is_shown(package: Path) -> None:
    shown = done(package, "-c", AGENTFLOW, "kinds", "transform.mask")
    assert '| `mask` | text | `"[address]"` | What stands in an address\'s place. |' in shown
    assert '"hidden"' in shown


def test_its_test_passes(package: Path) -> None:
    told = done(package, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mask.py")
    assert "1 passed" in told
