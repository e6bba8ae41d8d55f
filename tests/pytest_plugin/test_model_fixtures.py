"""The plugin's fixtures for tests that ask models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models import ModelPlane
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.testing import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentflow_dagster.testing import ModelServer, ScriptedModel

pytestmark = pytest.mark.usefixtures("_closed_connections")

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
ASKED = (Message("user", "Hello?"),)


async def test_the_server_stands_in_for_every_provider(model_server: ModelServer):
    model_server.answer_with([Answer("Hi from here.")])
    assert os.environ["OPENAI_BASE_URL"] == model_server.base("openai")
    reply = await ModelPlane(os.environ).complete(ModelRequest(ASKED, model="gpt-4o-mini"))
    assert reply.text == "Hi from here."
    assert len(model_server.received) == 1


async def test_models_are_scripted_by_name(scripted_model: Callable[..., ScriptedModel]):
    first = scripted_model("first", ["one"])
    scripted_model("second", ["two"])
    plane = ModelPlane({})
    said = [
        (await plane.complete(ModelRequest(ASKED, model=f"test/{name}"))).text
        for name in ("second", "first")
    ]
    assert said == ["two", "one"]
    assert len(first.requests) == 1


async def test_they_are_gone_after_the_test():
    with pytest.raises(ModelError, match="test/first"):
        await ModelPlane({}).complete(ModelRequest(ASKED, model="test/first"))


RECORDED = """
import asyncio
import pytest
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.testing import ScriptedModel

@pytest.mark.parametrize("said", ["one two", "three"])
def test_it(model_cassette, said):
    model = model_cassette(ScriptedModel([f"{said}!"]))
    reply = asyncio.run(model.complete(ModelRequest((Message("user", said),))))
    assert reply.text == f"{said}!"
"""


def test_a_cassette_is_recorded_when_asked_and_replayed_otherwise(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(test_session=RECORDED)

    def run(*arguments: str) -> pytest.RunResult:
        plugin = "agentflow_dagster.pytest_plugin"
        return pytester.runpytest_subprocess("-p", plugin, *arguments, timeout=60)

    before = run()
    before.assert_outcomes(failed=2)
    before.stdout.fnmatch_lines(["*Nothing was recorded*", "*--model-cassettes=record*"])
    run("--model-cassettes=record").assert_outcomes(passed=2)
    folder = pytester.path / "cassettes" / "test_session"
    assert sorted(file.name for file in folder.iterdir()) == [
        "test_it-one-two.yaml",
        "test_it-three.yaml",
    ]
    run().assert_outcomes(passed=2)
    monkeypatch.setenv("AGENTFLOW_CASSETTES", "record")
    (folder / "test_it-three.yaml").unlink()
    run().assert_outcomes(passed=2)
    assert (folder / "test_it-three.yaml").exists()
