"""The published JSON Schema: current, accepting what is right, refusing what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.notebook import read_agent
from agentflow_dagster.operations.schema import document_schema
from agentflow_dagster.spec.yaml_reader import read_yaml
from tests.support.documents import problems
from tests.support.mutations import mutated
from tests.support.properties import patiently

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "tests" / "spec" / "customer_support_pipeline.workflow.yaml"
PUBLISHED = ROOT / "docs" / "schema" / "agentflow-v1.json"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema: Any = document_schema(all_kinds())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def documents() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in (
        *ROOT.glob("notebooks/*.agent.yaml"),
        *ROOT.glob("notebooks/*.workflow.yaml"),
        ROOT / "tests" / "spec" / "sample.agent.yaml",
        WORKFLOW,
    ):
        found[path.name] = read_yaml(path.read_text()).document
    for path in ROOT.glob("notebooks/*.ipynb"):
        found[path.name] = read_agent(path, file=path.name, kinds=all_kinds())[0]
    return found


def test_the_published_schema_is_current() -> None:
    stale = "write it anew: agentflow schema > docs/schema/agentflow-v1.json"
    assert json.loads(PUBLISHED.read_text()) == document_schema(all_kinds()), stale


@pytest.mark.parametrize("name", sorted(documents()))
def test_samples_are_valid(validator: Draft202012Validator, name: str) -> None:
    assert [e.message for e in validator.iter_errors(documents()[name])] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("apiVersion",), "agentflow.io/v2"),
        (("spec", "nodes", "classify", "kind"), "ai.clasify"),
        (("spec", "nodes", "classify", "with", "labels"), {}),
        (("spec", "nodes", "classify", "with", "txt"), "unknown field"),
        (("spec", "nodes", "classify", "with", "text"), 3),
        (("spec", "nodes", "file_bug", "with", "method"), "FETCH"),
        (("spec", "defaults", "timeout"), "30 seconds"),
        (("spec", "colour"), "red"),
        (("spec", "nodes", "Not A Name"), {"kind": "ai.chat", "with": {"prompt": "x"}}),
        (("spec", "nodes", "classify"), {"kind": "ai.classify"}),
        (("spec", "triggers", "tickets"), {"input": {}}),
        (("spec", "triggers", "tickets"), {"manual": {}, "schedule": {"cron": "0 9 * * *"}}),
        (("spec", "nodes", "route", "with", "cases"), "{{input.cases}}"),
    ],
)
def test_mistakes_are_refused(
    validator: Draft202012Validator, path: tuple[str, ...], value: object
) -> None:
    document = documents()["support_triage.agent.yaml"]
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert not validator.is_valid(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("kind",), "Agent"),
        (("kind",), "Workflows"),
        (("metadata", "nmae"), "x"),
        (("spec", "agents"), []),
        (("spec", "agents", 0, "image"), 3),
        (("spec", "agents", 0, "imgae"), "agents/classifier:v1.2"),
        (("spec", "agents", 0, "resources", "timeout"), "30 seconds"),
        (("spec", "triggers", 0), {}),
    ],
)
def test_mistakes_in_a_workflow_are_refused(
    validator: Draft202012Validator, path: tuple[str | int, ...], value: object
) -> None:
    document = documents()[WORKFLOW.name]
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    assert not validator.is_valid(document)


def test_a_node_without_a_kind_is_one_mistake(validator: Draft202012Validator) -> None:
    document = documents()["support_triage.agent.yaml"]
    del document["spec"]["nodes"]["file_bug"]["kind"]
    assert [e.message for e in validator.iter_errors(document)] == ["'kind' is a required property"]


def test_a_fields_own_schema_shows_what_it_is(validator: Draft202012Validator) -> None:
    schema: Any = validator.schema
    cases = schema["$defs"]["with-logic.switch"]["properties"]["cases"]
    assert cases["description"] == "Each way out and when it is taken."
    assert cases["patternProperties"]["^[a-z][a-z0-9_]*$"] == {
        "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "\\{\\{"}]
    }
    assert schema["$defs"]["Metadata"]["properties"]["name"]["maxLength"] == 63


@patiently(200)
@given(st.data())
def test_it_refuses_nothing_that_is_right(
    validator: Draft202012Validator, data: st.DataObject
) -> None:
    """What the checks of fields and kinds let pass is valid; the schema may be wider."""
    document = mutated(data)
    found = {d.code[:3] for d in problems(document) if d.severity == "error"}
    if "AF1" in found or "AF3" in found:
        return
    assert [e.message for e in validator.iter_errors(document)] == []


def test_an_expression_may_stand_for_a_typed_value(validator: Draft202012Validator) -> None:
    document = documents()["support_triage.agent.yaml"]
    call = document["spec"]["nodes"]["file_bug"]["with"]
    call["query"] = {"page": "{{1 + 1}}"}
    call["method"] = "{{input.subject == '' ? 'PUT' : 'POST'}}"
    assert validator.is_valid(document)
    document["spec"]["nodes"]["route"]["with"]["cases"]["bug"] = "true"
    assert not validator.is_valid(document)
