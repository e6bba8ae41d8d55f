"""A project on disk with a database of its own, and the command in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.operations.scaffold import template_root
from tests.conftest import new_database
from tests.support.command import Command

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Generator
    from pathlib import Path

GOOD = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: adds-up, description: "Adds [/up] \\u001b[31m", icon: ∑}
spec:
  inputs:
    type: object
    required: [a]
    properties: {a: {type: integer}, b: {type: integer, default: 1}}
  triggers:
    call: {webhook: {path: /add}, input: {a: "{{event.body.a}}"}}
  nodes:
    add:
      kind: code.python
      with: {code: "total = a + b", inputs: {a: "{{input.a}}", b: "{{input.b}}"}, outputs: [total]}
    answer:
      kind: ai.chat
      llm: {model: offline/extractive}
      with: {prompt: "The sum is {{string(add.output.total)}}."}
  outputs: {total: "{{add.output.total}}"}
"""

BAD = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: bad-one}
spec:
  nodes:
    add:
      kind: code.pyton
      with: {code: "total = 1", outputs: [total]}
"""


@dataclass(frozen=True)
class Project:
    """A project, and the command in its folder."""

    root: Path
    command: Command

    def call(
        self, *arguments: str | Path, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self.command.run(*arguments, given=given)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.write_text(text, encoding="utf-8")
        return path


def make_project(root: Path, database_url: str, **variables: str) -> Project:
    """A project with one agent under `notebooks/`."""
    (root / "notebooks").mkdir(parents=True)
    (root / "definitions.py").write_text((template_root() / "definitions.py").read_text())
    variables = {"AGENTFLOW_DATABASE_URL": database_url, **variables}
    project = Project(root, Command(root, variables))
    project.write("notebooks/adds_up.agent.yaml", GOOD)
    return project


@pytest.fixture
def project(database_url: str, tmp_path: Path) -> Project:
    """A project whose database a test has to itself."""
    return make_project(tmp_path / "project", database_url)


@pytest.fixture(scope="module")
def shared(
    postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Project]:
    """A project that the tests of a file only look at."""
    url = next(database := new_database(postgres_url, template=template_database))
    yield make_project(tmp_path_factory.mktemp("shared") / "project", url)
    next(database, None)


@pytest.fixture
def nowhere(tmp_path: Path) -> Command:
    """The command outside every project."""
    return Command(tmp_path)
