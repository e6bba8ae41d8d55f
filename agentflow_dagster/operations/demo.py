"""The demo: the sample agents on real tickets, in a home of its own that is gone afterwards."""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.operations.components import Ports
from agentflow_dagster.operations.deploy import deploy_files
from agentflow_dagster.operations.platform import Platform, start_platform
from agentflow_dagster.operations.project import HOME_VARIABLE, SERVE_VARIABLE
from agentflow_dagster.operations.publish import load
from agentflow_dagster.operations.run import wait_for
from agentflow_dagster.operations.token import VARIABLE as TOKEN_VARIABLE
from agentflow_dagster.operations.token import project_token
from agentflow_dagster.operations.tracker import Tracker
from agentflow_dagster.stores import VARIABLE
from agentflow_dagster.stores.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.orchestration.record import RunRecord
    from agentflow_dagster.spec.kind import Catalogue

TRIAGE = "notebooks/support_triage.agent.yaml"
INVOICES = "notebooks/invoice_check.ipynb"
TICKETS = "notebooks/data/tickets.jsonl"
_START_SECONDS = 120.0
_NOT_OURS = {VARIABLE, HOME_VARIABLE, SERVE_VARIABLE, TOKEN_VARIABLE}


@contextmanager
def demo(
    project: Project,
    kinds: Catalogue,
    *,
    progress: Callable[[str], None],
    tickets: int = 4,
) -> Generator[tuple[Platform, list[RunRecord]]]:
    """Deploys both samples, posts tickets, runs the other with parameters, and waits for all.

    Everything that it started is stopped, and its home removed, at the end of the block.

    Raises:
        UsageError: the project does not have the samples.
        RunError: something cannot be started, or a ticket was not accepted.
    """
    for needed in (TRIAGE, INVOICES, TICKETS):
        if not (project.root / needed).is_file():
            raise UsageError(f"{project.root} has no {needed}, which the demo runs.")
    with _own_home() as home, Tracker() as tracker:
        variables = {
            **{k: v for k, v in project.variables.items() if k not in _NOT_OURS},
            "TRACKER": tracker.url,
            "TRACKER_TOKEN": tracker.token,
        }
        own = replace(project, home=home, environment="demo", variables=variables)
        with start_platform(own, Ports.free(), progress=progress) as platform:
            yield platform, _run_all(platform, kinds, tickets, progress)


@contextmanager
def _own_home() -> Generator[Path]:
    """A temporary home; its database may stand elsewhere and goes with it."""
    # An object that removes it in any case: an interrupt may come before the block is entered.
    with tempfile.TemporaryDirectory(prefix="agentflow-demo-", ignore_cleanup_errors=True) as made:
        try:
            yield Path(made)
        finally:
            EmbeddedPostgres(Path(made) / "postgres").remove()


def _run_all(
    platform: Platform, kinds: Catalogue, tickets: int, progress: Callable[[str], None]
) -> list[RunRecord]:
    from agentflow_dagster.orchestration.names import TRIGGER_TAG, location_name

    project = platform.project
    progress("Deploying the samples")
    files = [project.root / TRIAGE, project.root / INVOICES]
    done = deploy_files(project, platform.stores.versions, kinds, files)
    load(platform.client, [location_name(one.deployment.location) for one in done])
    triage, invoices = (plan_of(d.deployment.version.document, kinds) for d in done)
    posted = [_post(platform, ticket) for ticket in _read_tickets(project.root / TICKETS, tickets)]
    asked_at = time.time()
    run_id = platform.client.launch(
        invoices.agent.name, {"tolerance": 0.05}, {TRIGGER_TAG: "manual"}
    )
    started = [(invoices, run_id, asked_at)]
    for number, (event_id, at) in enumerate(posted, start=1):
        progress(f"Waiting for the run of ticket {number} of {len(posted)}")
        started.append((triage, _run_of(platform, triage.agent.name, event_id), at))
    records: list[RunRecord] = []
    for number, (plan, id_, at) in enumerate(started, start=1):
        progress(f"Waiting for run {number} of {len(started)} ({plan.agent.name})")
        records.append(wait_for(platform, plan, id_, asked_at=at))
    return records


def _read_tickets(path: Path, count: int) -> list[dict[str, Any]]:
    """One ticket of each label first, so that every branch is taken."""
    tickets = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    seen: set[str] = set()
    first = [t for t in tickets if not (t["label"] in seen or seen.add(t["label"]))]
    rest = [t for t in tickets if t not in first]
    return [*first, *rest][:count]


def _post(platform: Platform, ticket: dict[str, Any]) -> tuple[int, float]:
    """Sends a ticket to the webhook; the event's id and when it was accepted."""
    answer = platform.client.http.post(
        f"{platform.gateway}/hooks/tickets",
        json={"subject": ticket["subject"], "text": ticket["body"]},
        headers={"Authorization": f"Bearer {project_token(platform.project)}"},
    )
    if answer.status_code != 202:
        raise RunError(f"The front door answered {answer.status_code}: {answer.text}")
    return int(answer.json()["event_id"]), time.time()


def _run_of(platform: Platform, agent: str, event_id: int) -> str:
    """The run that was started for an event."""
    from agentflow_dagster.orchestration.event_run import RUN_KEY_TAG
    from agentflow_dagster.orchestration.names import AGENT_TAG

    event = platform.stores.inbox.get(event_id)
    assert event is not None
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if runs := platform.client.runs({RUN_KEY_TAG: event.run_key, AGENT_TAG: agent}):
            return str(runs[0]["runId"])
        if platform.processes is not None:
            platform.processes.check()
        time.sleep(0.2)
    raise RunError(
        f"No run was started for event {event_id} within {_START_SECONDS:g} s.",
        hint=f"The daemon's log: {platform.project.home / 'logs' / 'daemon.log'}",
    )
