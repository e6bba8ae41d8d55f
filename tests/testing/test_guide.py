"""The guide's code runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "test-with-models.md"
PLUGIN = "agentflow_dagster.pytest_plugin"


def test_the_file_of_the_guide(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    pytester.makepyfile(test_models="\n\n".join(blocks))
    # Nobody can be asked here: what the model is to have said is written by the guide's own kit.
    record = (
        "import asyncio, sys; from pathlib import Path; from test_models import *; "
        "from agentflow_dagster.testing import Cassette; "
        "file = Path('cassettes/test_models/test_what_the_model_said.yaml'); "
        "model = Cassette(file, ScriptedModel(['In Paris.']), mode='record'); "
        "asyncio.run(model.complete(ModelRequest(QUESTION, model='gpt-4o-mini')))"
    )
    assert pytester.runpython_c(record).ret == 0
    done = pytester.runpytest_subprocess("-p", PLUGIN, "-W", "ignore", timeout=120)
    done.assert_outcomes(passed=7)
