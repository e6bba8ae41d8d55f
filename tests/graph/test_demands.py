"""What a document demands and nothing enforces is said by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.documents import agent, minimal, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

ROUTING: JsonObject = {
    "strategy": "cost-optimized",
    "fallbacks": [
        {
            "provider": "openai",
            "model": "gpt-4",
            "conditions": [{"complexity": "high"}, {"accuracy": "critical"}],
        },
        {"provider": "local", "model": "llama-3-8b", "conditions": [{"data_sensitivity": "high"}]},
    ],
}


def test_what_is_not_in_force_is_named() -> None:
    code: JsonObject = {
        "kind": "code.python",
        "with": {"code": "x = 1"},
        "resources": {"memory": "64Mi", "cpu": "200m", "storage": "1Gi"},
        "limits": {"llmCalls": 100, "networkRequests": 50, "fileOperations": 1000},
    }
    found = problems(minimal({"c": code}, llmRouting=ROUTING, budget={"perRunUsd": 1}))
    assert [(d.code, d.severity, d.pointer) for d in found] == [
        ("AF911", "warning", "/spec/nodes/c/resources"),
        ("AF912", "warning", "/spec/nodes/c/limits"),
    ]
    assert "cpu, storage are" in found[0].message
    assert "memory" not in found[0].message


def test_memory_of_code_is_in_force() -> None:
    code: JsonObject = {
        "kind": "code.python",
        "with": {"code": "x = 1"},
        "resources": {"memory": "64Mi"},
    }
    assert problems(minimal({"c": code})) == ()


def test_a_routing_names_models_as_litellm_does() -> None:
    one = agent(minimal({"c": {"kind": "ai.chat", "with": {"prompt": "x"}}}, llmRouting=ROUTING))
    assert one.spec.llm_routing is not None
    assert [f.litellm_model for f in one.spec.llm_routing.fallbacks] == [
        "openai/gpt-4",
        "ollama/llama-3-8b",
    ]


def test_a_routing_that_is_wrong_is_refused() -> None:
    wrong: JsonObject = {"strategy": "cheapest", "fallbacks": [{"provider": "openai"}]}
    nodes: JsonObject = {"c": {"kind": "ai.chat", "with": {"prompt": "x"}}}
    assert sorted(d.code for d in problems(minimal(nodes, llmRouting=wrong))) == ["AF111", "AF112"]


def test_a_condition_that_no_call_meets_is_told() -> None:
    rule = {"provider": "openai", "model": "gpt-4o"}
    routing: JsonObject = {
        "fallbacks": [
            {**rule, "conditions": [{"complexity": "high"}, {"dataSensitivity": "high"}]},
            {**rule, "conditions": [{"complexity": "huge"}, {"speed": "high"}]},
        ]
    }
    found = problems(
        minimal({"c": {"kind": "code.python", "with": {"code": "x = 1"}}}, llmRouting=routing)
    )
    at = "/spec/llmRouting/fallbacks/1/conditions"
    assert [(d.code, d.pointer) for d in found] == [("AF913", f"{at}/0"), ("AF913", f"{at}/1")]
    assert "high" in found[0].hint
