"""The token is made once, whole, for its owner alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.token import project_token

ROOT = Path(__file__).parents[2]
READ = """
import sys
from pathlib import Path
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.token import project_token
home = Path(sys.argv[1])
sys.stdin.read()
print(project_token(Project(home, home / "home", "local", {})))
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, tmp_path / "home", "local", {})


def test_it_stays_the_same_and_private(project: Project) -> None:
    token = project_token(project)
    assert len(token) >= 40
    assert project_token(project) == token
    path = project.home / "token"
    assert (path.read_text(), oct(path.stat().st_mode & 0o777)) == (token, "0o600")
    assert [p.name for p in project.home.iterdir() if p.is_file()] == ["token"]


def test_processes_that_make_it_at_once_agree(tmp_path: Path) -> None:
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READ, str(tmp_path)],
            env={"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for reader in readers:
        assert reader.stdin
        reader.stdin.close()
    told = {reader.stdout.read() for reader in readers if reader.stdout}
    assert [reader.wait() for reader in readers] == [0] * 8
    for reader in readers:
        assert reader.stdout
        reader.stdout.close()
    assert len(told) == 1
    assert told.pop().strip() == (tmp_path / "home" / "token").read_text()


def test_a_named_one_wins_and_makes_no_file(tmp_path: Path) -> None:
    project = Project(tmp_path, tmp_path / "home", "local", {"AGENTFLOW_TOKEN": "named"})
    assert project_token(project) == "named"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_file_lets_nobody_in(project: Project, text: str) -> None:
    project.make_home()
    (project.home / "token").write_text(text)
    with pytest.raises(UsageError, match="is empty"):
        project_token(project)
