"""The guide "Add a provider", followed as it is written, up to the run itself."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from agentflow_dagster.models import ModelPlane, ModelSettings
from agentflow_dagster.models.providers import Provider
from agentflow_dagster.models.settings import read_settings
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.operations.models import project_models
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.scaffold import scaffold
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.spec.yaml_reader import read_yaml
from agentflow_dagster.testing import Answer, ModelServer

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "add-a-provider.md"
STAND_IN, MODELS, KEY, AGENT, _RUN, OTHER, ENTRY = re.findall(
    r"^```\w+\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL
)


async def test_a_server_by_its_address_alone(tmp_path: Path):
    root = tmp_path / "project"
    scaffold(root)
    assert "tokens_in=20, tokens_out=4" in STAND_IN
    with ModelServer([Answer("In Paris.", tokens_in=20, tokens_out=4)]) as server:
        said = MODELS.replace("http://127.0.0.1:8080/v1", server.base("acme"))
        assert said != MODELS
        (root / "models.yaml").write_text(said)
        (root / ".env").write_text(KEY)
        project = Project.find(root, {})
        reply = await project_models(project).complete(
            ModelRequest(
                (Message("user", "Where is the Eiffel Tower?"),),
                model="acme/acme-1",
                max_tokens=100,
            )
        )
    assert (reply.text, reply.usage.provider) == ("In Paris.", "acme")
    assert reply.usage.cost_usd == Decimal("0.000018")
    assert server.received[0].headers["authorization"] == "Bearer key-of-acme"


def test_its_agent_is_sound(tmp_path: Path):
    file = tmp_path / "where.agent.yaml"
    file.write_text(AGENT)
    assert not check_file(file, all_kinds()).diagnostics


def test_another_provider_of_litellm(tmp_path: Path):
    (tmp_path / "models.yaml").write_text(OTHER)
    settings = read_settings(tmp_path)
    assert settings.providers["perplexity"].key_variable == "PERPLEXITYAI_API_KEY"
    assert settings.providers["perplexity"].default_model == "sonar"


def test_the_entry_of_the_table():
    (provider,) = eval(ENTRY, {"Provider": Provider})
    assert provider.is_configured({"FIREWORKS_AI_API_KEY": "k"}.get)
    assert not provider.is_configured({}.get)


def test_the_whole_file_of_the_models_page():
    page = (GUIDE.parents[1] / "models.md").read_text()
    block = re.search(r"^## models.yaml\n.*?^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert block
    told = ModelSettings.model_validate(read_yaml(block[1]).document, by_alias=True, by_name=False)
    assert told.model_fields_set == set(ModelSettings.model_fields)
    assert ModelPlane({}, settings=told)
