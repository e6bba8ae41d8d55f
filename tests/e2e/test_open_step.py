"""A step of a past run opened as a notebook, changed, and promoted into its agent's file."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

from agentflow_dagster.errors import UsageError
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.notebook.writing import NewCell, notebook_text
from agentflow_dagster.operations.open_step import open_step, steps_of
from agentflow_dagster.operations.past_step import find_step
from agentflow_dagster.operations.promote import promote
from agentflow_dagster.spec.values import unpack
from tests.jupyter.conftest import Kernel

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.e2e.conftest import Running

CELLS = [
    NewCell("load", "%load_ext agentflow_dagster"),
    NewCell("agent", "%%agentflow agent\nname: opener  # ours\nenv: [REGION]"),
    NewCell("parameters", "body: str = 'Hi'", ("parameters",)),
    NewCell("setup", "import math", ("setup",)),
    NewCell("clean", "%%node clean  # first\ntext = body.strip() + ' ' * math.floor(0.5)"),
    NewCell(
        "sort",
        "%%node sort --kind ai.classify --model offline/extractive\n---\n"
        "labels: {bug: it is broken, howto: how to}\n---\n{{text}}",
    ),
    NewCell("note", "%%node note\nline = f'{sort[\"label\"]}: {text}'"),
]
YAML = """\
# Ours
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: opened-yaml}
spec:
  inputs: {type: object, properties: {n: {type: integer, default: 2}}}
  nodes:
    twice: {kind: code.python, with: {inputs: {m: "{{input.n}}"}, code: x = m * 2, outputs: [x]}}
    told:  # says it
      kind: transform.format
      with: {values: {x: "{{twice.output.x}}"}, template: "It is {{ x }}."}
"""
BODY = "  The app is broken and crashes.  "


@pytest.fixture(scope="module")
def kernel(running: Running) -> Generator[Kernel]:
    """A kernel in the project's folder of opened steps."""
    folder = running.project.root / "opened"
    folder.mkdir(exist_ok=True)
    manager, client = start_new_kernel(
        kernel_name="python3", cwd=str(folder), env={**os.environ, **running.project.variables}
    )
    kernel = Kernel(client)
    kernel.run("%colors NoColor")
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def _file(running: Running, name: str, text: str) -> Path:
    path = running.project.root / "notebooks" / name
    path.write_text(text)
    return path


def _opened(kernel: Kernel, path: Path) -> list[str]:
    """Runs an opened notebook's code cells but the last; their texts."""
    assert kernel.run("%reset -f\n%reload_ext agentflow_dagster").error == ""
    cells: list[Any] = json.loads(path.read_text())["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    for source in sources[:-1]:
        assert kernel.run(source).error == ""
    return sources


def test_from_a_run_into_the_notebook_and_back(running: Running, kernel: Kernel) -> None:
    path = _file(running, "opener.ipynb", notebook_text(CELLS))
    (plan,) = running.deploy("opener.ipynb")
    run = running.run(plan, {"body": BODY})
    project, kinds = running.project, all_kinds()
    _, listed = steps_of(project, kinds, run.run_id[:10])
    assert {s.node: s.status for s in listed} == dict.fromkeys(("clean", "sort", "note"), "result")

    opened = open_step(project, kinds, run.run_id[:10], "sort")
    assert opened.made
    *_, cell, promoting = _opened(kernel, opened.path)
    assert cell == CELLS[5].source
    assert promoting == "%agentflow promote"
    assert kernel.run("body, text").result == repr((BODY, BODY.strip()))

    changed = cell.replace("it is broken", "it crashes or fails")
    shown = kernel.run(changed)
    assert "in the run:" in shown.summary
    assert kernel.run("%agentflow promote").error == ""
    before, after = notebook_text(CELLS), path.read_text()
    assert after == before.replace("it is broken", "it crashes or fails")
    again = kernel.run("%agentflow promote --deploy")
    assert "unchanged" in again.result
    assert "opener v2" in again.result
    live = running.platform.stores.versions.live(project.environment)
    (version,) = [one.version for one in live if one.version.agent == "opener"]
    assert version.number == 2
    assert not open_step(project, kinds, run.run_id, "sort").made

    # The run's step is still what it was; a change that came meanwhile is not overwritten.
    assert find_step(project, kinds, run.run_id, "sort").version.number == 1
    path.write_text(after.replace("it crashes or fails", "another"))
    kernel.run(f"%agentflow load {run.run_id} sort")
    kernel.run(changed)
    refused = kernel.run("%agentflow promote")
    assert "was changed in notebooks/opener.ipynb since v1" in refused.error
    assert kernel.run("%agentflow promote --force").error == ""
    assert path.read_text() == after


def test_a_step_of_code_has_its_inputs_and_setup(running: Running, kernel: Kernel) -> None:
    _file(running, "opener.ipynb", notebook_text(CELLS))
    (plan,) = running.deploy("opener.ipynb")
    run = running.run(plan, {"body": BODY})
    opened = open_step(running.project, all_kinds(), run.run_id, "note")
    sources = _opened(kernel, opened.path)
    assert sources[1:3] == ["import math", CELLS[6].source]
    assert kernel.run("line").result == repr(f"bug: {BODY.strip()}")
    kernel.run("%%node note\nline = 1 / 0")
    assert kernel.run("%agentflow promote").error == ""  # what ran last is what is promoted
    assert kernel.run("%%node note\nline = (").error.startswith("UsageError")


def test_an_agent_that_was_born_as_yaml(running: Running, kernel: Kernel) -> None:
    path = _file(running, "opened_yaml.agent.yaml", YAML)
    (plan,) = running.deploy("opened_yaml.agent.yaml")
    run = running.run(plan, {"n": 4})
    project, kinds = running.project, all_kinds()
    step = find_step(project, kinds, run.run_id, "told")
    assert unpack(step.config["values"]) == {"x": 8}
    _opened(kernel, open_step(project, kinds, run.run_id, "told").path)
    assert kernel.run("told['text']").result == "'It is 8.'"
    kernel.run('%%node told --kind transform.format\nvalues: {x: "{{x}}"}\ntemplate: Now {{ x }}.')
    told = kernel.run("%agentflow promote")
    assert "error AF202: Nothing here is called 'x'." in told.error  # as documents have it
    assert path.read_text() == YAML

    sources = _opened(kernel, open_step(project, kinds, run.run_id, "twice").path)
    assert sources[-2] == "%%node twice --in 'm={{input.n}}' --out x\nx = m * 2"
    kernel.run(sources[-2].replace("* 2", "* 3"))
    assert "unchanged" not in kernel.run("%agentflow promote").result
    assert path.read_text() == YAML.replace("m * 2", "m * 3")


@pytest.mark.parametrize(
    ("run", "node", "said"),
    [
        ("00000000", "sort", "There is no run '00000000' of an agent."),
        ("%", "sort", "There is no run '%' of an agent."),
        (None, "srt", "had no node 'srt'"),
    ],
)
def test_what_is_not_there(running: Running, run: str | None, node: str, said: str) -> None:
    if run is None:
        _file(running, "opened_yaml.agent.yaml", YAML)
        (plan,) = running.deploy("opened_yaml.agent.yaml")
        run = running.run(plan, {"n": 4}).run_id
    with pytest.raises(UsageError, match=said):
        find_step(running.project, all_kinds(), run, node)


def test_no_file_outside_the_project_is_written(running: Running, tmp_path: Path) -> None:
    outside = tmp_path / "opened_yaml.agent.yaml"
    outside.write_text(YAML)
    _file(running, "opened_yaml.agent.yaml", YAML)
    (plan,) = running.deploy("opened_yaml.agent.yaml")
    step = find_step(running.project, all_kinds(), running.run(plan, {"n": 4}).run_id, "twice")
    far = {**step.version.source, "file": os.path.relpath(outside, running.project.root)}
    object.__setattr__(step.version, "source", far)
    with pytest.raises(UsageError, match="lies outside the project"):
        promote(running.project, all_kinds(), step.version, "twice", entry=step.entry, cell="")
    assert outside.read_text() == YAML
