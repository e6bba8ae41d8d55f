"""Opens a step of a past run: writes the notebook in which it is looked at and run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.notebook.opened import opened_notebook
from agentflow_dagster.operations.past_step import find_run, find_step
from agentflow_dagster.operations.promote import node_cell

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.operations.past_step import PastStep
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.past_run import PastRun
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.values import JsonObject

FOLDER = "opened"
"""The folder of a project in which opened steps are; no agent of it is read from there."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A notebook of a step; `made` is False where it was there already."""

    path: Path
    made: bool


@dataclass(frozen=True, slots=True)
class ListedStep:
    """A node of a past run, and how its step ended: the port it left by, or `-`."""

    node: str
    kind: str
    status: str


def steps_of(
    project: Project, kinds: Catalogue, run_id: str
) -> tuple[PastRun, tuple[ListedStep, ...]]:
    """The nodes of a past run.

    Raises:
        UsageError: there is no such run, or nothing of it is kept.
    """
    run, _, plan = find_run(project, kinds, run_id)
    found = {name: output.port for name, output in run.outputs.items()}
    return run, tuple(
        ListedStep(step.name, step.node.kind, found.get(step.name, "-")) for step in plan.steps
    )


def open_step(project: Project, kinds: Catalogue, run_id: str, node: str) -> Opened:
    """Writes the notebook of a step, unless it is there: then somebody may have worked in it.

    Args:
        project: Whose run it is.
        kinds: Every node kind known here.
        run_id: The run's id, or its first characters.
        node: The node.

    Raises:
        UsageError: there is no such run or node, or nothing of it is kept.
    """
    step = find_step(project, kinds, run_id, node)
    folder = project.root / FOLDER
    path = folder / f"{step.run.agent}-{node}-{step.run.run_id[:8]}.ipynb"
    if path.is_file():
        return Opened(path, made=False)
    folder.mkdir(mode=0o700, exist_ok=True)
    defaults = cast("JsonObject", step.version.document["spec"]).get("defaults")
    code = defaults.get("code") if isinstance(defaults, dict) else None
    text = opened_notebook(
        node,
        step.entry,
        kinds,
        run_id=step.run.run_id,
        told=_told(step),
        setup=str(code.get("setup") or "") if isinstance(code, dict) else "",
        cell=node_cell(project, kinds, step.version, node) or "",
    )
    path.write_text(text, encoding="utf-8")
    return Opened(path, made=True)


def _told(step: PastStep) -> str:
    title = f"# {step.node} of {step.run.agent}, as it ran"
    partition = "".join(f", partition {value}" for value in step.run.partition.values())
    return (
        f"{title}\n\nRun `{step.run.run_id}`, v{step.version.number}{partition}. The next cell "
        "loads what the step was given; below it stands the node as it was."
    )
