"""`%agentflow deploy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.jupyter.commands.which import saved_file, with_file
from agentflow_dagster.jupyter.here import project_here
from agentflow_dagster.jupyter.tables import Link, Table

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from agentflow_dagster.jupyter.commands import Asked
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.spec.document import Agent

SUMMARY = "Stores the agent as an immutable version, and makes it live."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which file."""
    with_file(parser)


def carry_out(asked: Asked) -> Table:
    """Deploys the notebook as it was saved.

    Raises:
        UsageError: it was not saved, or this is no project.
        DocumentError: it has errors.
    """
    return deployed(project_here(), saved_file(asked))


def deployed(project: Project, path: Path) -> Table:
    """Deploys a file, and says what is live now and how it is started.

    Raises:
        UsageError, DocumentError: as `carry_out`.
    """
    from agentflow_dagster.nodes import all_kinds
    from agentflow_dagster.operations.announcement import found_running
    from agentflow_dagster.operations.publish import deploy_and_publish
    from agentflow_dagster.spec.parse import parse_agent

    done, _ = deploy_and_publish(project, all_kinds(), [path])
    version = done[-1].deployment.version
    agent = parse_agent(version.document)
    assert not isinstance(agent, tuple)
    running = found_running(project) or {}
    what = "is live" if done[-1].changed else "was live already; nothing changed"
    rows: list[tuple[str, str | Link]] = list(_started(agent, str(running.get("gateway", ""))))
    if dagster := running.get("dagster"):
        group = agent.name.replace("-", "_")
        rows.append(("Dagster", Link("assets", f"{dagster}/selection/group:{group}/lineage")))
    note = "" if running else "Nothing serves it yet: agentflow up."
    title = f"{agent.name} v{version.number} ({version.hash[:12]}) {what}"
    return Table(title, ("", ""), rows, note=note)


def _started(agent: Agent, gateway: str) -> list[tuple[str, str | Link]]:
    """How each trigger starts the agent."""
    found: list[tuple[str, str | Link]] = []
    for name, trigger in agent.spec.triggers.items():
        if trigger.webhook:
            hook = trigger.webhook
            found.append((name, f"{hook.method} {gateway}/hooks{hook.path}"))
        elif trigger.schedule:
            found.append((name, f"{trigger.schedule.cron} ({trigger.schedule.timezone})"))
        else:
            found.append((name, "events"))
    return found
