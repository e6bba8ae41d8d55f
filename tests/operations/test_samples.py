"""The sample agents of `notebooks/` give what their descriptions say, offline, on data that ships.

Those that need a run record of Dagster's (triggers, partitions, asset checks, child runs) are in
`tests/orchestration` and `tests/e2e`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.engine.graph_run import run_graph
from agentflow_dagster.engine.outputs import agent_outputs
from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.engine.step import Attempt, Services
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.models import ModelPlane
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.agents import known_agents
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.operations.project import Project
from agentflow_dagster.sandbox import ChildProcess
from tests.support.loopback import Loopback, Reply

if TYPE_CHECKING:
    from agentflow_dagster.engine.graph_run import GraphRun
    from agentflow_dagster.spec.values import JsonObject

ROOT = Path(__file__).parents[2]
PROJECT = Project(ROOT, ROOT / ".agentflow", variables={})
FILES = [*PROJECT.working_files()]
KINDS = builtin_kinds()
NOT_IN_FORCE_YET = {
    "customer_support_pipeline.workflow.yaml": {"AF911"},
}


async def ran(name: str, given: JsonObject | None = None) -> tuple[GraphRun, Any]:
    """A run of a sample's graph with the offline model, and the agent's outputs."""
    plan = check_file(ROOT / "notebooks" / f"{name}.agent.yaml", KINDS).require()
    services = Services(
        KINDS, ModelPlane({}), ChildProcess(), EnvironmentSecrets({}), data=PROJECT.data
    )
    input_ = complete_input(dict(plan.agent.spec.inputs), given or {})
    done = await run_graph(plan, plan.steps, Attempt.first(plan, input_), services)
    return done, agent_outputs(plan.agent, "run", input_, done.outputs, {})


async def outputs(name: str, given: JsonObject | None = None) -> Any:
    done, told = await ran(name, given)
    assert not done.failures, done.failures
    return told


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_check_has_nothing_to_say(path: Path) -> None:
    told = check_file(path, KINDS, agents=known_agents(PROJECT))
    assert {d.code for d in told.diagnostics} == NOT_IN_FORCE_YET.get(path.name, set())
    agent = told.require().agent
    if not path.name.endswith((".ipynb", ".workflow.yaml")):
        assert agent.metadata.description
        assert agent.metadata.icon
        assert "team" in agent.metadata.labels
        assert agent.spec.outputs
        assert [name for name, node in agent.spec.nodes.items() if not node.description] == []


def test_the_readme_lists_them_all_with_their_kinds() -> None:
    text = (ROOT / "notebooks" / "README.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if "](" in line and " | " in line]
    listed: list[Path] = []
    for row in rows:
        files = [path for path in FILES if path.name in row[1]]
        assert set(re.findall(r"`([a-z]+\.[a-z]+)`", row[2])) == set().union(*map(kinds_in, files))
        listed += files
    assert sorted(listed) == sorted(FILES)


def kinds_in(path: Path) -> set[str]:
    """The kinds of a file's nodes, those in bodies too."""
    agent = check_file(path, KINDS, agents=known_agents(PROJECT)).require().agent
    written = re.findall(r"\bkind: ([a-z]+\.[a-z]+)", path.read_text())
    return {node.kind for node in agent.spec.nodes.values()} | set(written)


async def test_fan_out_looks_at_a_ticket_in_three_ways() -> None:
    own = await outputs("ticket_views")
    assert own["topic"] == "transfer"
    assert [one["option"] for one in own["named"]["options"]] == ["--retry", "-m", "-y", "-Y"]
    assert own["headline"].startswith("If using --retry")
    other = await outputs("ticket_views", {"body": "The TLS certificate is refused (RFC 5280)."})
    assert other["topic"] == "security"
    assert other["named"] == {"options": [], "standards": [{"number": "5280"}]}


async def test_a_loop_sorts_each_ticket_of_the_batch() -> None:
    told = await outputs("ticket_batch", {"first": 5, "last": 9})
    assert [one["id"] for one in told["sorted"]] == ["T005", "T006", "T007", "T008", "T009"]
    assert all(one["sorted"] == one["filed"] for one in told["sorted"])
    assert told["failed"] == []
    assert {"filed": "bug", "tickets": 2, "agreed": 2} in told["score"]


async def test_a_while_loop_shortens_until_it_fits() -> None:
    long = await outputs("pager_note")
    short = await outputs("pager_note", {"limit": 90})
    fits = await outputs("pager_note", {"body": "Disk full."})
    assert 90 < len(long["note"]) <= 160
    assert len(short["note"]) <= 90
    assert short["rounds"] > long["rounds"] > 0
    assert fits == {"note": "Disk full.", "rounds": 0}


async def test_a_jury_votes_and_says_where_it_is_split() -> None:
    clear = await outputs("ticket_jury", {"body": "The app crashes on save."})
    assert clear == {"label": "bug", "votes": 3, "needs_a_person": False}
    split = await outputs("ticket_jury", {"body": "Does curl support SOCKS (RFC 1928)?"})
    assert split["needs_a_person"]


async def test_a_report_is_made_by_sql() -> None:
    told = await outputs("backlog_report")
    assert [(one["label"], one["number"]) for one in told["by_label"]] == [
        *(("feature", 28), ("bug", 24)),
        *(("howto", 23), ("licence", 5)),
    ]
    assert "| bug | 24 | 30.0 % | 222 | FTPS upload data loss with TLS 1.3 |" in told["report"]


async def test_an_invoice_is_read_out_of_a_mail() -> None:
    told = await outputs("invoice_mail")
    assert told["facts"] == {"total": 249.9, "due": "2026-02-15", "contact": "billing@example.com"}
    assert told["done"] == "INV-2026-0173: 249.90 EUR"
    large = await outputs("invoice_mail", {"mail": "The total amount to pay is 4,200.00 EUR."})
    assert large["number"] == ""
    assert large["done"] == "Please approve an invoice of 4200.00 EUR."


async def test_an_error_that_is_handled_is_told() -> None:
    told = await outputs("service_status")
    assert told["up"] is False
    assert told["note"].startswith("The service does not answer: GET http://127.0.0.1:9/health")
    with Loopback({"/health": Reply()}) as service:
        answered = await outputs("service_status", {"url": f"{service.url}/health"})
    assert answered == {"up": True, "note": "The service answers with 200."}
