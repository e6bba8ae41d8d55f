"""References to agents: their forms, and whether they lead anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.graph.agent_references import (
    AgentReference,
    check_references,
    parse_reference,
    references,
)
from tests.support.documents import agent, minimal

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

DIGEST = "0f" * 32
KNOWN = {"classifier": ["v1.1", "v1.2"], "plain": []}


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("classifier", AgentReference("classifier")),
        ("agents/classifier", AgentReference("classifier")),
        ("agents/classifier:v1.2", AgentReference("classifier", "v1.2")),
        (f"qa@sha256:{DIGEST}", AgentReference("qa", None, DIGEST)),
        (f"agents/qa:v1@sha256:{DIGEST}", AgentReference("qa", "v1", DIGEST)),
    ],
)
def test_forms(text: str, reference: AgentReference) -> None:
    assert parse_reference(text) == reference
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize("text", ["", "QA", "qa:", "qa@sha256:12", "other/qa", "qa:v 1", "qa\n"])
def test_no_references(text: str) -> None:
    assert parse_reference(text) is None


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("agents/clasifier:v1.2", "AF806", "Did you mean 'agents/classifier:v1.2'?"),
        ("zzz", "AF806", "Known here: classifier, plain."),
        ("classifier:v1.3", "AF807", "Did you mean 'v1.2'?"),
        ("plain:v1", "AF807", "tag: v1"),
        ("Classifier!", "AF805", "agents/name:tag"),
    ],
)
def test_what_leads_nowhere(text: str, code: str, hint: str) -> None:
    one = agent(minimal({"run": {"kind": "agent.run", "with": {"agent": text}}}))
    (found,) = check_references(one, KNOWN)
    assert (found.code, found.pointer) == (code, "/spec/nodes/run/with/agent")
    assert hint in found.hint


@pytest.mark.parametrize("text", ["classifier", "classifier:v1.1", f"plain@sha256:{DIGEST}"])
def test_what_leads_somewhere(text: str) -> None:
    one = agent(minimal({"run": {"kind": "agent.run", "with": {"agent": text}}}))
    assert list(check_references(one, KNOWN)) == []


def test_bodies_of_loops_are_looked_into_and_expressions_left_out() -> None:
    body: JsonObject = {"nodes": {"inner": {"kind": "agent.run", "with": {"agent": "gone"}}}}
    one = agent(
        minimal(
            {
                "each": {"kind": "logic.loop", "with": {"body": body}},
                "any": {"kind": "agent.run", "with": {"agent": "{{input.which}}"}},
                "other": {"kind": "ai.chat", "with": {"agent": "none", "prompt": "x"}},
            }
        )
    )
    path = ("spec", "nodes", "each", "with", "body", "nodes", "inner", "with", "agent")
    assert list(references(one)) == [(path, "gone")]
