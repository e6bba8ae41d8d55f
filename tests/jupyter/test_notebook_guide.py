"""The guide on notebooks: its cells make a sound agent, and it names every subcommand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agentflow_dagster.jupyter.commands import NAMES
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.check import check_file

TEXT = (Path(__file__).parents[2] / "docs" / "guides" / "notebooks.md").read_text()
CELLS = re.findall(r"^```\n(%%.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
BESIDE = (
    "%%node clean\ntext = mail.strip()",
    "%%node topic --kind ai.classify\n---\nlabels: {bug: it fails, other: all else}\n---\n{{text}}",
    "%%node ticket --after route.bug\nreply = text",
    "%%node done --kind logic.merge --join any\nfrom: [ticket, letter]",
)
"""What the guide's cells read and lead to."""


@pytest.mark.filterwarnings("error")
def test_its_cells_make_a_sound_agent(tmp_path: Path) -> None:
    assert len(CELLS) == 3
    cells = [{"cell_type": "code", "metadata": {}, "source": text} for text in (*BESIDE, *CELLS)]
    parameters = {
        "cell_type": "code",
        "metadata": {"tags": ["parameters"]},
        "source": "mail: str = ''",
    }
    path = tmp_path / "guide.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": [parameters, *cells]}))
    found = check_file(path, all_kinds()).diagnostics
    assert [str(d) for d in found] == []


def test_it_names_every_subcommand() -> None:
    named = set(re.findall(r"%%?agentflow ([a-z]+)", TEXT))
    assert {*NAMES} - {"help", "version"} <= named <= {*NAMES}
