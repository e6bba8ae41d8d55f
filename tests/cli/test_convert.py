"""`agentflow convert`: there and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.conftest import BAD

if TYPE_CHECKING:
    from tests.cli.conftest import Project

FILE = "notebooks/adds_up.agent.yaml"


def test_every_form_means_the_same(shared: Project) -> None:
    for source, form, name in (
        (FILE, "json", "one.json"),
        ("one.json", "python", "two.agent.py"),
        ("two.agent.py", "yaml", "three.yaml"),
    ):
        done = shared.call("convert", source, "--to", form, "-o", name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"Wrote {name}.\n")
    assert shared.call("diff", FILE, "three.yaml").stdout == "They mean the same.\n"
    printed = json.loads(shared.call("convert", "three.yaml", "--to", "json").stdout)
    assert printed == json.loads((shared.root / "one.json").read_text())


def test_into_a_notebook_and_back_in_place(shared: Project) -> None:
    shared.call("convert", FILE, "nb.ipynb")
    text = shared.root / "back.agent.yaml"
    text.write_text("# Mine\n" + (shared.root / FILE).read_text())
    before = text.read_text()
    assert shared.call("convert", "nb.ipynb", "back.agent.yaml").returncode == 0
    assert text.read_text() == before
    notebook = (shared.root / "nb.ipynb").read_text()
    assert shared.call("convert", FILE, "nb.ipynb").returncode == 0
    assert (shared.root / "nb.ipynb").read_text() == notebook
    assert shared.call("convert", FILE, "nb.txt").returncode == 2
    assert shared.call("convert", FILE).returncode == 2


def test_what_cannot_be_read_is_told(shared: Project) -> None:
    bad = shared.write("bad.py", "import os\nos.remove('one')\n")
    done = shared.call("convert", bad, "--to", "yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "AF808" in done.stderr
    wrong = shared.write("wrong.yaml", BAD.replace("kind: Agent", "kind: Agnt"))
    assert shared.call("convert", wrong, "--to", "python").returncode == 1
