"""`agentflow kinds`: the list, and one kind's page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.command import Command


def test_one_kind(nowhere: Command) -> None:
    done = nowhere.run("kinds", "ai.extract")
    assert done.returncode == 0
    assert done.stdout.startswith("# `ai.extract`\n")
    wrong = nowhere.run("kinds", "ai.extrct")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "ai.extract" in wrong.stderr


def test_all_kinds(nowhere: Command) -> None:
    done = nowhere.run("kinds", "--json")
    kinds = {kind["name"]: kind for kind in json.loads(done.stdout)["kinds"]}
    assert kinds["logic.if"]["ports"] == ["then", "else"]
    assert kinds["transform.table"]["programs"] == ["sql"]
    assert "logic.switch" in nowhere.run("kinds").stdout
