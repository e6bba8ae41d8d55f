"""`agentflow check`: what it prints, and with which status it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.operations.scaffold import template_root
from tests.cli.conftest import BAD, GOOD

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Project
    from tests.support.command import Command

SOUND = GOOD.replace("outputs: {total", 'outputs: {said: "{{answer.output.text}}", total')
FIELDS = ["code", "severity", "file", "cell", "line", "column", "pointer", "message", "hint", "fix"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "good.agent.yaml").write_text(SOUND)
    (tmp_path / "bad.agent.yaml").write_text(BAD)
    (tmp_path / "ends.agent.yaml").write_text("apiVersion: {\n")
    (tmp_path / "latin.agent.yaml").write_bytes(SOUND.replace("∑", "é").encode("latin-1"))
    (tmp_path / "large.agent.yaml").write_text("#" * 5_000_001)
    (tmp_path / "notes.ipynb").write_text("{}")
    return tmp_path


usual = pytest.mark.usefixtures("files")


def found(told: str) -> list[dict[str, Any]]:
    return json.loads(told)["diagnostics"]


def test_a_good_file_has_nothing_to_say(nowhere: Command, files: Path) -> None:
    done = nowhere.run("check", files / "good.agent.yaml")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "1 file checked: 0 errors, 0 warnings.\n"


@usual
def test_an_error_is_told_with_its_place(nowhere: Command) -> None:
    done = nowhere.run("check", "bad.agent.yaml", "good.agent.yaml")
    assert done.returncode == 1
    assert done.stdout.startswith("bad.agent.yaml:8:7: error AF")
    assert "'code.pyton'" in done.stdout
    assert "code.python" in done.stdout
    assert done.stderr == "2 files checked: 1 error, 0 warnings.\n"


@usual
def test_json_has_these_fields(nowhere: Command) -> None:
    done = nowhere.run("check", "--json", "bad.agent.yaml", "good.agent.yaml")
    assert (done.returncode, done.stderr) == (1, "")
    (one,) = found(done.stdout)
    assert list(one) == FIELDS
    assert (one["severity"], one["file"], one["line"], one["column"], one["cell"]) == (
        *("error", "bad.agent.yaml", 8, 7),
        None,
    )
    assert one["pointer"] == "/spec/nodes/add/kind"


@usual
def test_json_of_nothing_wrong(nowhere: Command) -> None:
    done = nowhere.run("check", "--json", "good.agent.yaml")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"diagnostics": []})


@usual
@pytest.mark.parametrize("name", ["ends", "latin", "large"])
def test_a_file_that_cannot_be_read_is_told_as_an_error(nowhere: Command, name: str) -> None:
    done = nowhere.run("check", "--json", f"{name}.agent.yaml")
    assert done.returncode == 1
    (one,) = found(done.stdout)
    assert (one["severity"], one["file"]) == ("error", f"{name}.agent.yaml")


@usual
def test_a_notebook_without_nodes_is_told(nowhere: Command) -> None:
    done = nowhere.run("check", "notes.ipynb")
    assert done.returncode == 1
    assert "notes.ipynb" in done.stdout


def test_a_notebooks_problem_is_told_with_its_cell(nowhere: Command, files: Path) -> None:
    text = (template_root() / "notebooks" / "invoice_check.ipynb").read_text()
    notebook = json.loads(text)
    wrong = {**notebook["cells"][-1], "cell_type": "code", "source": "%%node\nx = ("}
    wrong |= {"id": "wrong", "metadata": {}, "outputs": [], "execution_count": None}
    notebook["cells"].append(wrong)
    (files / "broken.ipynb").write_text(json.dumps(notebook))
    done = nowhere.run("check", "broken.ipynb", "--json")
    assert done.returncode == 1
    one = found(done.stdout)[0]
    assert (list(one), one["cell"]) == (FIELDS, len(notebook["cells"]) - 1)
    assert isinstance(one["line"], int)


@usual
@pytest.mark.parametrize("missing", ["nowhere.agent.yaml", ".", "good.agent.yaml/x"])
def test_a_missing_file_is_a_wrong_call(nowhere: Command, missing: str) -> None:
    done = nowhere.run("check", "bad.agent.yaml", missing)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Error: There is no file {missing!r}.\n"


def test_no_file_is_a_wrong_call(nowhere: Command) -> None:
    done = nowhere.run("check")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Missing argument 'FILES...'" in done.stderr


@usual
def test_the_line_is_shown_with_its_place_marked(nowhere: Command) -> None:
    done = nowhere.run("check", "bad.agent.yaml")
    assert " 8 |       kind: code.pyton\n   |       ^^^^\n" in done.stdout
    assert "\x1b" not in done.stdout


@usual
def test_fix_mends_and_diff_only_shows(nowhere: Command, files: Path) -> None:
    path = files / "slip.agent.yaml"
    path.write_text(SOUND.replace("      llm:", "      timeout: 30\n      llm:"))
    shown = nowhere.run("check", "--diff", path)
    assert (shown.returncode, "+      timeout: 30s\n" in shown.stdout) == (1, True)
    assert "timeout: 30\n" in path.read_text()
    assert "`--fix` mends 1 of them." in shown.stderr
    done = nowhere.run("check", "--fix", path)
    assert (done.returncode, "+      timeout: 30s\n" in done.stdout) == (0, True)
    assert path.read_text() == SOUND.replace("      llm:", "      timeout: 30s\n      llm:")


def test_a_code_is_explained(nowhere: Command) -> None:
    done = nowhere.run("check", "--explain", "af207")
    assert done.returncode == 0
    assert done.stdout.startswith("AF207 (error): What is read may not be there")
    unknown = nowhere.run("check", "--explain", "AF2O7")
    assert (unknown.returncode, "Did you mean 'AF207'?" in unknown.stderr) == (2, True)


def test_an_unknown_image_is_told_with_the_nearest(shared: Project) -> None:
    text = (
        "apiVersion: agentflow.io/v1\nkind: Workflow\nmetadata: {name: w}\n"
        "spec: {agents: [{name: one, image: agents/add-up}]}\n"
    )
    done = shared.call("check", shared.write("w.workflow.yaml", text))
    assert done.returncode == 1
    assert "AF806" in done.stdout
    assert "Did you mean 'agents/adds-up'?" in done.stdout
