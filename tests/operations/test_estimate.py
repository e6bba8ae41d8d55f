"""What a run may cost is said before it is run."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations import Project
from agentflow_dagster.operations.estimate import estimate
from tests.support.documents import minimal

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.operations.estimate import Estimate
    from agentflow_dagster.spec.values import JsonObject

KINDS = builtin_kinds()
KEY = {"OPENAI_API_KEY": "sk-test", "OLLAMA_API_BASE": "http://127.0.0.1:9"}
LIST: JsonObject = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"type": "string"}}},
}


def estimated(
    folder: Path,
    nodes: JsonObject,
    given: JsonObject | None = None,
    *,
    variables: dict[str, str] | None = None,
    **spec: JsonObject,
) -> Estimate:
    file = folder / "one.agent.yaml"
    file.write_text(json.dumps(minimal(nodes, **spec)))
    project = Project(
        folder, folder / ".agentflow", variables=KEY if variables is None else variables
    )
    return estimate(project, KINDS, file, given or {})


def chat(prompt: str, **llm: object) -> JsonObject:
    return {"kind": "ai.chat", "with": {"prompt": prompt}, "llm": {"model": "gpt-4o-mini", **llm}}  # type: ignore[dict-item]


def test_a_call_is_priced_by_the_model_that_would_be_asked(tmp_path: Path) -> None:
    found = estimated(tmp_path, {"a": chat("x" * 4_000, maxTokens=100)})
    (node,) = found.nodes
    assert (node.node, node.calls, node.model) == ("a", 1, "openai/gpt-4o-mini")
    assert 1_000 <= node.tokens_in < 1_050
    assert node.tokens_out == 100
    assert node.usd == Decimal("1.5E-7") * node.tokens_in + Decimal("6E-7") * 100
    assert node.usd is not None
    assert node.most_usd is not None
    assert node.most_usd > node.usd
    assert found.usd == node.usd


def test_a_loop_repeats_what_is_in_it(tmp_path: Path) -> None:
    body: JsonObject = {"nodes": {"say": chat("{{item}}")}, "outputs": {"t": "{{say.output.text}}"}}
    nodes: JsonObject = {
        "each": {"kind": "logic.loop", "with": {"over": "{{input.items}}", "body": body}}
    }
    found = estimated(tmp_path, nodes, {"items": ["a", "b", "c"]}, inputs=LIST)
    assert [(node.node, node.calls) for node in found.nodes] == [("each[].say", 3)]


def test_a_price_that_nobody_knows_is_unknown(tmp_path: Path) -> None:
    found = estimated(tmp_path, {"a": chat("x", model="openai/my-own-model"), "b": chat("y")})
    assert found.nodes[0].usd is None
    assert found.usd is None
    assert found.to_json()["usd"] is None


def test_what_is_sensitive_is_priced_where_it_may_go(tmp_path: Path) -> None:
    inputs: JsonObject = {
        "type": "object",
        "properties": {"file": {"type": "string", "x-sensitive": True}},
    }
    routing: JsonObject = {
        "fallbacks": [
            {"provider": "openai", "model": "gpt-4o-mini"},
            {"provider": "local", "model": "llama-3-8b"},
        ]
    }
    node: JsonObject = {"kind": "ai.chat", "with": {"prompt": "Shorten {{input.file}}"}}
    found = estimated(tmp_path, {"a": node}, {"file": "x"}, inputs=inputs, llmRouting=routing)
    assert found.nodes[0].model == "ollama/llama3:8b"
    assert found.usd == 0


@pytest.mark.parametrize("variables", [{}])
def test_offline_it_costs_nothing(tmp_path: Path, variables: dict[str, str]) -> None:
    found = estimated(tmp_path, {"a": chat("x")}, variables=variables)
    assert (found.nodes[0].model, found.usd) == ("offline/extractive", 0)
