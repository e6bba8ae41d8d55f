"""The plan: code versions, and what each step takes from the agent's defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from agentflow_dagster.spec.document import LLM, Retry
from tests.support.documents import changed, minimal, plan, sample

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

CHAT: JsonObject = {"kind": "ai.chat", "with": {"prompt": "hi"}}
ALL = {"classify", "route", "file_bug", "draft", "done"}


def versions(document: JsonObject) -> dict[str, str]:
    return {step.name: step.code_version for step in plan(document).steps}


def moved(path: str, value: JsonValue) -> set[str]:
    """The nodes of the sample whose code version a change moves."""
    base = changed(sample(), "spec.outputs", {})  # Which may need another guard after it.
    before, after = versions(base), versions(changed(base, path, value))
    return {name for name, version in after.items() if before[name] != version}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("spec.nodes.draft.with.prompt", "Answer: {{input.body}}", {"draft", "done"}),
        ("spec.nodes.draft.when", "{{input.body != ''}}", {"draft", "done"}),
        ("spec.nodes.draft.llm", {"temperature": 0.5}, {"draft", "done"}),
        ("spec.nodes.file_bug.with.method", "PUT", {"file_bug", "done"}),
        ("spec.nodes.route.with.cases.bug", "{{true}}", ALL - {"classify"}),
        ("spec.nodes.classify.with.labels.bug", "it crashes", ALL),
        ("spec.nodes.done.with.from", ["draft", "file_bug"], {"done"}),
        ("spec.nodes.draft.after", ["route.bug"], {"draft", "done"}),
        ("spec.defaults.llm.model", "gpt-4o", ALL),
    ],
)
def test_a_change_marks_itself_and_exactly_what_is_downstream(
    path: str, value: JsonValue, expected: set[str]
) -> None:
    assert moved(path, value) == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.nodes.classify.retry", {"maxAttempts": 5}),
        ("spec.nodes.classify.timeout", "1m"),
        ("spec.nodes.classify.description", "Sorts."),
        ("spec.nodes.classify.onUnknown", "retry"),
        ("spec.defaults.retry.maxAttempts", 1),
        ("spec.defaults.timeout", "5s"),
        ("spec.defaults.code", {"setup": "import math"}),
        ("spec.config.maxConcurrentExecutions", 1),
        ("spec.triggers", {}),
        ("spec.outputs", {"label": "{{classify.output.label}}"}),
        ("metadata.description", "Other."),
        ("layout", {"classify": {"x": 1}}),
    ],
)
def test_what_is_not_meaning_marks_nothing(path: str, value: JsonValue) -> None:
    assert moved(path, value) == set()


def test_the_order_of_cases_is_meaning() -> None:
    one: JsonObject = {"kind": "logic.switch", "with": {"cases": {"x": True, "y": True}}}
    two: JsonObject = {"kind": "logic.switch", "with": {"cases": {"y": True, "x": True}}}
    after: JsonObject = {**CHAT, "after": ["s.x"]}
    before, turned = (
        versions(minimal({"s": one, "a": after})),
        versions(minimal({"s": two, "a": after})),
    )
    assert before["s"] != turned["s"]
    assert before["a"] != turned["a"]


def test_setup_code_counts_for_code_nodes_alone() -> None:
    nodes: JsonObject = {"a": CHAT, "c": {"kind": "code.python", "with": {"code": "x = 1"}}}
    before = versions(minimal(nodes))
    after = versions(minimal(nodes, defaults={"code": {"setup": "import math"}}))
    assert before["a"] == after["a"]
    assert before["c"] != after["c"]


def test_data_nodes_are_assets_and_their_parents_are_assets() -> None:
    steps = {step.name: (step.asset, step.asset_parents) for step in plan(sample()).steps}
    assert steps == {
        "classify": (True, ()),
        "route": (False, ("classify",)),
        "file_bug": (True, ("classify",)),
        "draft": (True, ("classify",)),
        "done": (True, ("file_bug", "draft")),
    }


def test_limits_come_from_the_config_the_defaults_or_the_node() -> None:
    config: JsonObject = {"defaultTimeout": "2m", "retryPolicy": "linear"}
    defaults: JsonObject = {"timeout": "30s", "retry": {"maxAttempts": 2}}
    own: JsonObject = {"a": {**CHAT, "timeout": "1s", "retry": {"maxAttempts": 1}}}
    cases = [
        (minimal({"a": CHAT}), 300.0, None),
        (minimal({"a": CHAT}, config=config), 120.0, Retry(backoff="linear")),
        (minimal({"a": CHAT}, config=config, defaults=defaults), 30.0, Retry(max_attempts=2)),
        (minimal(own, config=config, defaults=defaults), 1.0, Retry(max_attempts=1)),
    ]
    for given, timeout, retry in cases:
        step = plan(given).step("a")
        assert (step.timeout, step.retry) == (timeout, retry)


def test_a_nodes_model_settings_stand_over_the_agents_one_by_one() -> None:
    defaults: JsonObject = {"llm": {"model": "m", "temperature": 1, "maxTokens": 9}}
    own: JsonObject = {**CHAT, "llm": {"temperature": 0}}
    assert plan(minimal({"a": CHAT})).step("a").llm == LLM()
    found = plan(minimal({"a": own}, defaults=defaults)).step("a").llm
    assert found == LLM(model="m", temperature=0, max_tokens=9)


def test_the_schema_of_each_output() -> None:
    schemas = {step.name: step.output_schema for step in plan(sample()).steps}
    label = cast("JsonObject", schemas["classify"]["properties"])["label"]
    assert label == {
        "anyOf": [
            {"const": "bug", "description": "something is broken"},
            {"const": "howto", "description": "how to use it"},
            {"const": "billing", "description": "money"},
        ]
    }
    assert schemas["done"] == {"anyOf": [schemas["file_bug"], schemas["draft"]]}


def test_there_is_no_step_of_another_name() -> None:
    with pytest.raises(KeyError):
        plan(sample()).step("nobody")
