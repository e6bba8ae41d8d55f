"""Workflows as agents: the seed's own, what it becomes, and what is said of mistakes in one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_document
from agentflow_dagster.spec.forms import read_text

if TYPE_CHECKING:
    from agentflow_dagster.spec.diagnostics import Diagnostic

SEED_FILE = Path(__file__).parent / "customer_support_pipeline.workflow.yaml"
SEED = SEED_FILE.read_text(encoding="utf-8")
KNOWN = {"classifier": {"v1.2"}, "responder": {"v1.0"}, "qa": {"v0.8"}}


def checked(text: str) -> tuple[Diagnostic, ...]:
    source = read_text(text)
    found = check_document(
        source.document,
        source.positions,
        source.diagnostics,
        builtin_kinds(),
        file="w.yaml",
        agents=KNOWN,
        origin=source.lowering.origin,
    )
    return found.diagnostics


def errors(text: str) -> list[str]:
    return [str(d) for d in checked(text) if d.severity == "error"]


def lowered() -> Any:
    document = read_text(SEED).document
    assert document is not None
    return document


def test_each_agent_becomes_a_node_that_runs_its_image() -> None:
    nodes = lowered()["spec"]["nodes"]
    assert list(nodes) == ["ticket_classifier", "response_generator", "quality_checker"]
    assert nodes["ticket_classifier"] == {
        "kind": "agent.run",
        "with": {
            "agent": "agents/classifier:v1.2",
            "input": {"input": "{{input}}", "upstream": {}},
        },
        "llm": {"model": "openai/gpt-4", "temperature": 0.1},
        "timeout": "30s",
        "retry": {"maxAttempts": 3, "backoff": "exponential"},
        "resources": {"memory": "512Mi", "cpu": "200m"},
    }
    assert nodes["response_generator"]["with"]["input"]["upstream"] == {
        "ticket_classifier": "{{ticket_classifier.output}}"
    }
    assert nodes["response_generator"]["after"] == ["ticket_classifier"]
    assert nodes["response_generator"]["llm"] == {
        "model": "anthropic/claude-3-sonnet",
        "maxTokens": 1000,
    }


def test_the_rest_is_carried_over() -> None:
    document = lowered()
    assert document["metadata"]["labels"] == {
        "team": "customer-success",
        "environment": "production",
    }
    assert document["spec"]["triggers"] == {
        "webhook": {
            "webhook": {"path": "/api/v1/tickets", "method": "POST"},
            "input": "{{event.body}}",
        },
        "schedule": {
            "schedule": {"cron": "0 9 * * 1-5"},
            "input": {"scheduled_at": "{{event.scheduled_at}}"},
        },
    }
    assert document["spec"]["config"]["maxConcurrentExecutions"] == 10
    assert list(document["spec"]["outputs"]) == list(document["spec"]["nodes"])


def test_it_has_no_errors_and_says_what_is_not_in_force() -> None:
    assert errors(SEED) == []
    assert {d.code for d in checked(SEED)} == {"AF911"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("classifier:v1.2", "clasifier:v1.2"), "w.yaml:11:7: error AF806"),
        (("classifier:v1.2", "clasifier:v1.2"), "Did you mean 'agents/classifier:v1.2'?"),
        (("qa:v0.8", "qa:v0.9"), "w.yaml:36:7: error AF807"),
        (("agents/qa:v0.8", "Agents/QA"), "w.yaml:36:7: error AF805"),
        (("[response-generator]", "[response-generater]"), "w.yaml:40:19: error AF802"),
        (("[response-generator]", "[response-generater]"), "Did you mean 'response-generator'?"),
        (("name: quality-checker", "name: response-generator"), "w.yaml:35:7: error AF803"),
        (("name: quality-checker", "name: response_generator"), "w.yaml:35:7: error AF801"),
        (("      retry:", "      dependsOn: [quality-checker]\n      retry:"), "error AF804"),
        (("maxTokens", "max_tokens"), "w.yaml:29:9: error AF110"),
        (('"0 9 * * 1-5"', '"0 99 * * *"'), "w.yaml:46:7: error AF401"),
        (("memory: 512Mi", "memory: 512 Mi"), "w.yaml:17:9: error AF120"),
        (("cpu: 200m", "cpu: 200"), "write '200' in quotes"),
        (("timeout: 30s", "timeout: 30"), "w.yaml:19:9: error AF119"),
        (("- webhook: ", "- webhok: "), "error AF110"),
    ],
)
def test_mistakes_are_told_of_the_workflows_own_lines(change: tuple[str, str], said: str) -> None:
    assert SEED.count(change[0]) >= 1
    assert any(said in one for one in errors(SEED.replace(*change, 1))), errors(
        SEED.replace(*change, 1)
    )


def test_a_circle_is_shown() -> None:
    text = SEED.replace("      retry:", "      dependsOn: [quality-checker]\n      retry:")
    (found,) = [one for one in errors(text) if "AF804" in one]
    for name in ("ticket-classifier", "response-generator", "quality-checker"):
        assert name in found


def test_pointers_are_those_of_the_workflow() -> None:
    (found,) = [d for d in checked(SEED.replace("qa:v0.8", "qa:v0.9")) if d.code == "AF807"]
    assert found.pointer == "/spec/agents/2/image"
