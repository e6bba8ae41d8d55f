"""`%agentflow promote`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.jupyter.here import project_here
from agentflow_dagster.jupyter.one_node import read_node
from agentflow_dagster.jupyter.tables import Diff, Stack, Table

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked
    from agentflow_dagster.jupyter.session import NodeRun, Session
    from agentflow_dagster.spec.values import JsonObject

SUMMARY = "Writes the node that was opened and changed here into its agent's file."


def arguments(parser: argparse.ArgumentParser) -> None:
    """What more."""
    parser.add_argument("--deploy", action="store_true", help="makes the agent live, too")
    parser.add_argument("--force", action="store_true", help="overwrites later changes of the node")


def carry_out(asked: Asked) -> Stack:
    """Writes the node as it last ran here; shows what changed in the file.

    Raises:
        UsageError: no step was opened here, it has not run, or its file is another by now.
        DocumentError: the agent would have errors.
    """
    from agentflow_dagster.jupyter.commands.deploy import deployed
    from agentflow_dagster.nodes import all_kinds
    from agentflow_dagster.operations.promote import promote

    step = asked.session.loaded
    if step is None:
        raise UsageError("No step was opened here.", hint="Begin with %agentflow open RUN NODE.")
    run = asked.session.nodes.get(step.node)
    if run is None:
        raise UsageError(f"{step.node!r} has not run here.", hint="Run its cell first.")
    project = project_here()
    done = promote(
        project,
        all_kinds(),
        step.version,
        step.node,
        entry=node_of(run, asked.session, cast("JsonObject", step.entry["with"])),
        cell=run.cell,
        base=asked.session.promoted,
        force=asked.options.force,
    )
    asked.session.promoted = done.document
    name = project.relative(done.path)
    shown: list[Table | Diff] = [
        Diff(f"{name}: {'written' if done.diff else 'unchanged'}", done.diff)
    ]
    if done.diff and done.path.suffix == ".ipynb":
        # Saved over from there, the file would lose the change; JupyterLab asks first.
        note = f"Where {done.path.name} is open, reload it: File, Reload Notebook from Disk."
        shown.append(Table("", (), (), note=note))
    if asked.options.deploy:
        shown.append(deployed(project, done.path))
    return Stack(shown)


def node_of(run: NodeRun, session: Session, before: JsonObject) -> JsonObject:
    """A node that ran here as a document has it, its config in the order that it had."""
    read = read_node(run.line, run.source, session)
    entry = dict(read.entry)
    config = cast("JsonObject", entry.get("with", {}))
    if run.line.is_code:
        config = {"code": run.source.removesuffix("\n"), **config}
        if "code" in before and str(before["code"]).endswith("\n"):
            config["code"] = f"{config['code']}\n"
    elif isinstance(prose := before.get(prose_of(run)), str) and not prose.endswith("\n"):
        config = {**config, prose_of(run): str(config[prose_of(run)]).removesuffix("\n")}
    order = [name for name in before if name in config]
    entry["with"] = {name: config[name] for name in dict.fromkeys([*order, *config])}
    return entry


def prose_of(run: NodeRun) -> str:
    """The field of a run's node that is written as prose."""
    from agentflow_dagster.nodes import all_kinds

    return all_kinds()[run.line.kind].prose
