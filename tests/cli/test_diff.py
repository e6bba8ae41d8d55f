"""`agentflow diff` of files and of versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.conftest import BAD, GOOD

if TYPE_CHECKING:
    from tests.cli.conftest import Project

FILE = "notebooks/adds_up.agent.yaml"


def test_files_and_versions_are_compared_by_meaning(project: Project) -> None:
    project.call("deploy", FILE)
    other = project.write("other.yaml", GOOD.replace("The sum is", "The whole sum is"))
    same = project.call("diff", FILE, "adds-up")
    assert (same.returncode, same.stdout, same.stderr) == (0, "They mean the same.\n", "")
    told = project.call("diff", "adds-up:1", other)
    assert told.returncode == 1
    assert told.stdout == (
        "~ nodes.answer.with.prompt\n    The{+ whole+} sum is {{string(add.output.total)}}.\n"
    )
    project.call("deploy", "other.yaml")
    told = project.call("diff", "adds-up:1", "adds-up", "--json")
    (change,) = json.loads(told.stdout)["changes"]
    assert (told.returncode, change["pointer"]) == (1, "/spec/nodes/answer/with/prompt")
    assert [p["change"] for p in change["words"]] == ["same", "added", "same"]
    misused = project.call("diff", "adds-up:9", FILE)
    assert (misused.returncode, misused.stdout) == (2, "")
    assert "Its versions are 1, 2." in misused.stderr


def test_what_cannot_be_read_is_misuse(project: Project) -> None:
    bad = project.write("bad.yaml", BAD.replace("kind: Agent", "kind: Agnt"))
    done = project.call("diff", bad, FILE)
    assert (done.returncode, done.stdout) == (2, "")
    assert "AF112" in done.stderr
