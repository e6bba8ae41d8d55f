"""`agentflow init`: what it makes passes every check that a Dagster user would make."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import Command

PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def made(nowhere: Command, database_url: str) -> Command:
    """A new project, and the command in it."""
    done = nowhere.run("init", "My Agents")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("Made My Agents. Next: cd 'My Agents' && agentflow up\n")
    return Command(nowhere.folder / "My Agents", {"AGENTFLOW_DATABASE_URL": database_url})


def test_a_new_project_passes_its_own_checks(made: Command) -> None:
    notebooks = made.folder / "notebooks"
    kinds = ("*.agent.yaml", "*.workflow.yaml", "*.ipynb")
    files = [file for kind in kinds for file in notebooks.glob(kind)]
    done = made.run("check", "--json", *files)
    assert done.returncode == 0
    told = json.loads(done.stdout)["diagnostics"]
    assert [d for d in told if not d["code"].startswith("AF9")] == []  # not in force yet
    listed = json.loads(made.run("list", "--json").stdout)["agents"]
    assert {a["state"] for a in listed} == {"not deployed"}
    assert {a["name"] for a in listed} >= {"invoice_check", "order-intake", "support-triage"}
    assert len(listed) == len(files)
    assert ".env\n" in (made.folder / ".gitignore").read_text()
    assert 'name = "my-agents"' in (made.folder / "pyproject.toml").read_text()


def test_editors_find_the_schema(made: Command) -> None:
    for path in (made.folder / "notebooks").glob("*.agent.yaml"):
        first = path.read_text().splitlines()[0]
        said, _, schema = first.partition("$schema=")
        assert said == "# yaml-language-server: "
        named = json.loads((path.parent / schema).read_text())
        assert named == json.loads(made.run("schema").stdout)


@pytest.mark.parametrize(
    ("program", "arguments", "said"),
    [
        ("dagster", ["definitions", "validate", "-w", "workspace.yaml"], ["Validation successful"]),
        (
            "dg",
            ["list", "defs", "--json"],
            ["support_triage_job", "support_triage/_tests:a_bug_is_filed"],
        ),
    ],
)
def test_dagsters_own_tools_read_it(
    made: Command, tmp_path: Path, program: str, arguments: list[str], said: list[str]
) -> None:
    (tmp_path / "dagster").mkdir()
    done = subprocess.run(
        [PROGRAMS / program, *arguments],
        cwd=made.folder,
        env={**made.environment, "DAGSTER_HOME": str(tmp_path / "dagster")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [words for words in said if words not in done.stdout + done.stderr] == []


@pytest.mark.parametrize("name", ["full", "file"])
def test_nothing_is_overwritten(nowhere: Command, name: str) -> None:
    (nowhere.folder / "full").mkdir()
    (nowhere.folder / "full" / "x").write_text("mine")
    (nowhere.folder / "file").write_text("mine")
    done = nowhere.run("init", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Error: {name} exists and is not empty.\nName a new folder.\n"
    assert [p.name for p in (nowhere.folder / "full").iterdir()] == ["x"]


def test_an_empty_folder_will_do(nowhere: Command) -> None:
    done = nowhere.run("init", ".")
    assert done.returncode == 0, done.stderr
    assert (nowhere.folder / "definitions.py").exists()
