"""The wheel ships agentflow_dagster alone, the project that `agentflow init` scaffolds in it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.architecture.tracked import ROOT, tracked_files

if TYPE_CHECKING:
    from collections.abc import Set


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Set[str]:
    """Paths of the files in a wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([ROOT / ".ci" / "graph"], check=True)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


def test_ships_the_package_alone(names: Set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"agentflow_dagster"}


def test_carries_licence_and_typing_marker(names: Set[str]) -> None:
    assert "agentflow_dagster/py.typed" in names
    for name in ("LICENSE", "NOTICE"):
        assert any(path.endswith(f".dist-info/licenses/{name}") for path in names)


def test_carries_data_files_of_the_package(names: Set[str]) -> None:
    tracked = {str(path.relative_to(ROOT)) for path in tracked_files("agentflow_dagster")}
    assert tracked <= names


@pytest.mark.parametrize("name", ["definitions.py", "workspace.yaml", "resources", "notebooks"])
def test_carries_the_project_to_scaffold(names: Set[str], name: str) -> None:
    tracked = {
        f"agentflow_dagster/_project/{path.relative_to(ROOT)}" for path in tracked_files(name)
    }
    assert tracked
    assert tracked <= names


def test_carries_the_widgets_and_the_licences_of_what_they_hold(names: Set[str]) -> None:
    wanted = {"graph.js", "graph.css", "graph.licenses.txt"}
    found = {
        n.rpartition("/")[2] for n in names if n.startswith("agentflow_dagster/jupyter/static")
    }
    assert found == wanted


def test_leaves_generated_files_out(names: Set[str]) -> None:
    assert not [name for name in names if "__pycache__" in name or ".ipynb_checkpoints" in name]
