"""A project that keeps its secrets elsewhere: what runs outside of Dagster asks there, too."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.own_resources import own_secrets
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.scaffold import scaffold
from agentflow_dagster.testing import Answer, ModelServer
from tests.support.command import Command
from tests.support.vault import keep_secrets_elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "acme-vault-key-Zx9"
MODELS = """\
models:
  acme/one: {{inputPerMillion: 1, outputPerMillion: 2, maxOutput: 200}}
providers:
  acme: {{baseUrl: "{base}", keyVariable: ACME_KEY}}
"""
ASKS = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: asks}
spec:
  secrets: [TRACKER_TOKEN]
  nodes:
    ask: {kind: ai.chat, llm: {model: acme/one}, with: {prompt: Where is the Eiffel Tower?}}
    told:
      kind: code.python
      with:
        inputs: {secret: "{{secret.TRACKER_TOKEN}}"}
        outputs: [length]
        code: length = len(secret)
  outputs: {said: "{{ask.output.text}}", length: "{{told.output.length}}"}
  tests:
    answers:
      expect:
        - {value: outputs.said, equals: In Paris.}
        - {value: outputs.length, equals: 17}
"""
IN_A_KERNEL = """\
from agentflow_dagster.jupyter.here import services_here
import asyncio
from agentflow_dagster.ports.model import Message, ModelRequest
request = ModelRequest((Message("user", "Where?"),), model="acme/one")
print(asyncio.run(services_here().model.complete(request)).text)
"""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer([Answer("In Paris.")]) as server:
        yield server


@pytest.fixture
def root(tmp_path: Path, server: ModelServer) -> Path:
    """A project whose secrets resource reads files beside it."""
    root = tmp_path / "project"
    scaffold(root)
    keep_secrets_elsewhere(root, ACME_KEY=KEY, TRACKER_TOKEN="tracker-token-Zx9")
    (root / "models.yaml").write_text(MODELS.format(base=server.base("acme")))
    (root / "notebooks" / "asks.agent.yaml").write_text(ASKS)
    return root


def keys_at(server: ModelServer) -> set[str]:
    return {call.headers["authorization"] for call in server.received}


def test_tests_of_documents(root: Path, server: ModelServer) -> None:
    told = Command(root).run("test", "notebooks/asks.agent.yaml")
    assert told.returncode == 0, told.stdout + told.stderr
    assert keys_at(server) == {f"Bearer {KEY}"}
    assert KEY not in told.stdout + told.stderr


def test_an_estimate_knows_the_model(root: Path, server: ModelServer) -> None:
    """Without its key the provider would not be there to be asked."""
    (root / "models.yaml").write_text(
        "providers: {openai: {keyVariable: ACME_KEY}}\nmodels: {openai/gpt-4o-mini: {quality: 1}}\n"
    )
    file = root / "notebooks" / "asks.agent.yaml"
    file.write_text(ASKS.replace("acme/one", "gpt-4o-mini"))
    told = Command(root).run("estimate", str(file), "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["nodes"][0]["model"] == "openai/gpt-4o-mini"
    assert server.received == ()


def test_a_kernel(root: Path, server: ModelServer) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_KERNEL],
        cwd=root / "notebooks",
        env=Command(root).environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.strip() == "In Paris.", done.stderr
    assert keys_at(server) == {f"Bearer {KEY}"}


def test_a_project_as_it_was_scaffolded_loads_none_of_its_code(tmp_path: Path) -> None:
    root = tmp_path / "project"
    scaffold(root)
    (root / "resources" / "code.py").write_text("raise RuntimeError")
    project = Project(root, root / ".agentflow", variables={"TOKEN": "of-the-environment"})
    secrets, environment = own_secrets(project)
    assert secrets.lookup("TOKEN") == "of-the-environment"
    assert environment == {"TOKEN": "of-the-environment"}


def test_its_environment_gives_what_its_secrets_do_not_have(root: Path) -> None:
    before = sys.modules.get("resources")
    variables = {"TRACKER_TOKEN": "of-the-environment", "OTHER": "of-the-environment"}
    project = Project(root, root / ".agentflow", variables=variables)
    secrets, environment = own_secrets(project)
    assert secrets.lookup("TRACKER_TOKEN") == "tracker-token-Zx9"
    assert secrets.lookup("OTHER") == "of-the-environment"
    assert environment["OTHER"] == "of-the-environment"
    assert before is None or sys.modules["resources"] is before


def test_each_project_has_its_own_whichever_was_asked_before(tmp_path: Path) -> None:
    roots = [tmp_path / name / "project" for name in ("one", "broken", "other")]
    for root in roots:
        scaffold(root)
        keep_secrets_elsewhere(root, TOKEN=f"token-of-{root.parent.name}")
    (roots[1] / "resources" / "secrets.py").write_text("raise RuntimeError")
    own_secrets(Project(roots[0], roots[0] / ".agentflow"))
    with pytest.raises(UsageError):
        own_secrets(Project(roots[1], roots[1] / ".agentflow"))
    for root in (roots[0], roots[2], roots[0]):
        secrets, _ = own_secrets(Project(root, root / ".agentflow", environment="staging"))
        assert secrets.lookup("TOKEN") == f"token-of-{root.parent.name}"


def test_a_resource_that_cannot_be_opened_is_told_without_its_words(root: Path) -> None:
    (root / "resources" / "secrets.py").write_text('raise RuntimeError("vault-token-Zx9")')
    project = Project(root, root / ".agentflow")
    with pytest.raises(UsageError, match=r"could not be opened \(RuntimeError\)") as raised:
        own_secrets(project)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
