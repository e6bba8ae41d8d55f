"""Where a project is, whose its home is, and where its variables come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.project import Project


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "definitions.py").touch()
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    return tmp_path


def test_it_is_found_from_any_folder_inside(root: Path) -> None:
    found = Project.find(root / "notebooks" / "deep", {})
    assert (found.root, found.home, found.environment) == (root, root / ".agentflow", "local")
    with pytest.raises(UsageError, match="is not inside an AgentFlow project"):
        Project.find(root.parent, {})


def test_the_files_variables_stand_under_the_process_own(root: Path) -> None:
    (root / ".env").write_text(
        "# a comment\nexport A='from file'\nB=from file\nEMPTY=\nNOTHING\nC=\"two\\nlines\"\n"
        f"AGENTFLOW_HOME={root / 'elsewhere'}\n"
    )
    found = Project.find(root, {"B": "from process"})
    assert dict(found.variables) == {
        "A": "from file",
        "B": "from process",
        "C": "two\nlines",
        "EMPTY": "",
        "AGENTFLOW_HOME": str(root / "elsewhere"),
    }
    assert found.home == root / "elsewhere"
    assert "from file" not in repr(found)


def test_a_file_of_variables_that_is_not_text_is_told_without_its_content(root: Path) -> None:
    (root / ".env").write_bytes(b"SECRET=hunter22\xff\n")
    with pytest.raises(UsageError, match="is not UTF-8") as caught:
        Project.find(root, {})
    assert "hunter22" not in str(caught.value)


def test_the_home_is_closed_to_others(root: Path) -> None:
    before = os.umask(0)
    try:
        home = Project.find(root, {}).make_home()
    finally:
        os.umask(before)
    # As root PostgreSQL runs as another user, who has to pass through to its own folder.
    assert home.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)
    for name in ("artifacts", "dagster", "dagster-artifacts", "dagster-direct", "logs"):
        assert (home / name).stat().st_mode & 0o777 == 0o700


def test_a_home_that_exists_keeps_its_mode(root: Path) -> None:
    home = root / "shared"
    home.mkdir(mode=0o755)
    found = Project.find(root, {"AGENTFLOW_HOME": str(home)})
    assert found.make_home() == home
    assert home.stat().st_mode & 0o777 == 0o755
    assert (home / "logs").stat().st_mode & 0o777 == 0o700


def test_working_files_are_the_agents_under_notebooks(root: Path) -> None:
    folder = root / "notebooks"
    (folder / "b.agent.yaml").touch()
    (folder / "deep" / "a.agent.yml").touch()
    (folder / "plain.yaml").touch()
    (folder / "nodes.ipynb").write_text("%%node")
    (folder / "none.ipynb").write_text("{}")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "c.agent.yaml").touch()
    found = [path.relative_to(folder) for path in Project.find(root, {}).working_files()]
    assert found == [Path("b.agent.yaml"), Path("deep/a.agent.yml"), Path("nodes.ipynb")]
