"""The widgets on a running project: a real run from the form to the list of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.jupyter.project_widgets import run_history, run_panel
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.announcement import announced
from agentflow_dagster.testing import Answer
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.e2e.conftest import Running


SLOW = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: sleeper}
spec:
  nodes:
    sleep: {kind: logic.delay, with: {for: 1h}}
    after: {kind: transform.format, after: [sleep], with: {template: Good morning}}
"""
TALKER = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: talker}
spec:
  defaults: {llm: {model: acme/one, maxTokens: 100}}
  nodes:
    talk: {kind: ai.chat, with: {prompt: How are you?}}
  outputs: {said: "{{talk.output.text}}"}
"""


@pytest.fixture
def up(running: Running) -> Generator[Running]:
    """The session's project, found by others as `agentflow up` lets itself be found."""
    with announced(running.project) as announce:
        announce(running.platform)
        yield running


def test_a_run_from_the_form_is_followed_to_its_end(up: Running) -> None:
    panel = run_panel(up.project, all_kinds(), "support-triage")
    assert not panel.form.submit({"subject": "Crash"})
    assert panel.form.problems == {"body": "This has to be filled in."}
    assert panel.form.submit({"body": "How do I post a form with a file in one of its fields?"})
    panel.wait(120)
    view = panel.view
    assert (view.run["state"], view.error) == ("succeeded", "")
    states: Any = view.states
    run: Any = view.run
    assert {name: state["state"] for name, state in states.items()} == {
        "classify": "done",
        "route": "done",
        "draft": "done",
        "file_bug": "skipped",
        "done": "done",
    }
    assert states["draft"]["tokens"] > 0
    assert view.outputs["label"] == "howto"
    assert run["tokens"] > 0
    assert run["url"].startswith(f"{up.platform.client.url}/runs/")

    history = run_history(up.project, "support-triage")
    row: Any = next(row for row in history.runs if row["run_id"] == run["id"])
    assert (row["status"], row["trigger"], row["url"]) == ("SUCCESS", "manual", run["url"])
    assert row["cost"] == run["cost"]
    assert row["seconds"] > 0


def test_what_a_model_says_is_seen_while_it_says_it(up: Running) -> None:
    (up.project.root / "notebooks" / "talker.agent.yaml").write_text(TALKER)
    up.deploy("talker.agent.yaml")
    answer = "Well, all things considered."
    up.acme.answer_with([Answer(answer, gap=1.0)], forget=True)
    panel = run_panel(up.project, all_kinds(), "talker")
    assert panel.form.submit({})
    said: Any = wait_until(lambda: panel.view.said)
    assert [one["path"] for one in said] == ["talk"]
    assert answer.startswith(said[0]["text"])
    panel.wait(120)
    assert panel.view.outputs == {"said": answer}
    assert panel.view.said == []


def test_a_run_that_waits_is_canceled(up: Running) -> None:
    (up.project.root / "notebooks" / "sleeper.agent.yaml").write_text(SLOW)
    up.deploy("sleeper.agent.yaml")
    panel = run_panel(up.project, all_kinds(), "sleeper")
    assert panel.form.submit({})
    run: Any = wait_until(lambda: panel.view.run)
    wait_until(lambda: up.platform.client.run(run["id"])["status"] not in {"QUEUED", "STARTING"})
    panel.form.asked({"do": "cancel"})
    panel.wait(120)
    run = panel.view.run
    states: Any = panel.view.states
    assert run["state"] == "canceled"
    assert states["after"]["state"] == "canceled"
    assert not panel.form.busy
