"""What Dagster is told of an asset, when it is defined and when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from dagster import (
    AssetKey,
    CodeReferencesMetadataValue,
    DagsterEventType,
    LocalFileCodeReference,
)

from agentflow_dagster.nodes.logic_merge import Merge
from agentflow_dagster.ports.stores import Version
from tests.orchestration.bench import compiled, version_of
from tests.orchestration.samples import TRIAGE, agent

if TYPE_CHECKING:
    from dagster import AssetSpec

    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench, Ran, Source


@pytest.fixture(scope="module")
def triaged(shared_bench: Bench) -> Ran:
    """A run that filed a bug."""
    shared_bench.serve(TRIAGE)
    return shared_bench.run("support-triage", {"body": "a bug"})


def spec(source: Source | Version, node: str) -> AssetSpec:
    definition = compiled(source).assets[0]
    (key,) = [k for k in definition.keys if k.path[1] == node]
    return definition.specs_by_key[key]


def metadata(ran: Ran, node: str) -> dict[str, Any]:
    (found,) = [m for k, m in ran.materializations.items() if k.path[1] == node]
    return {name: value.value for name, value in found.items()}


def test_a_model_nodes_figures(triaged: Ran) -> None:
    told = metadata(triaged, "classify")
    assert told["tokens_in"] == 7
    assert told["tokens_out"] == 3
    assert told["cost_usd"] == pytest.approx(0.0005)
    assert told["latency_ms"] > 0
    assert told["model"] == "scripted-1"
    assert told["provider"] == "scripted"


def test_figures_are_numbers_that_the_ui_plots(triaged: Ran) -> None:
    (told,) = [m for k, m in triaged.materializations.items() if k.path[1] == "classify"]
    kinds = {name: type(value).__name__ for name, value in told.items()}
    assert kinds["tokens_in"] == kinds["tokens_out"] == "IntMetadataValue"
    assert kinds["cost_usd"] == kinds["latency_ms"] == "FloatMetadataValue"
    assert kinds["model"] == kinds["provider"] == "TextMetadataValue"
    assert kinds["preview"] == "MarkdownMetadataValue"


def test_a_node_without_a_model_costs_nothing(triaged: Ran) -> None:
    told = metadata(triaged, "done")
    assert told["tokens_in"] == told["tokens_out"] == told["cost_usd"] == 0
    assert "model" not in told


def test_what_came_out_stands_first(triaged: Ran) -> None:
    for node in ("classify", "done"):
        assert next(iter(metadata(triaged, node))) == "preview"


def test_a_node_that_only_chooses_has_neither_figures_nor_a_materialization(triaged: Ran) -> None:
    assert triaged.materialized == {"classify", "file_bug", "done"}
    (output,) = [
        event.step_output_data
        for event in triaged.of_type(DagsterEventType.STEP_OUTPUT)
        if event.step_key == "support_triage.route"
    ]
    assert output.output_name == "bug"
    assert output.metadata == {}


def test_the_preview_shows_the_value_and_is_bounded(shared_bench: Bench) -> None:
    nodes = """
    small: {kind: ai.chat, with: {prompt: hello}}
    large: {kind: ai.chat, with: {prompt: "{{input.text}}"}}
    """
    shared_bench.serve(agent("previews", nodes, inputs="{text: {type: string}}"))
    ran = shared_bench.run("previews", {"text": "x`" * 50_000})
    assert '"text": "re: hello"' in metadata(ran, "small")["preview"]
    assert len(metadata(ran, "large")["preview"]) < 2_100


def test_a_tables_preview_has_its_first_rows(shared_bench: Bench) -> None:
    nodes = """
    table:
      kind: code.python
      with:
        outputs: [frame]
        code: |
          import pandas as pd
          texts = ["x|y"] + ["long " * 50] * 8
          frame = pd.DataFrame({"a": range(9), "b": texts}, index=[*"abcdefghi"])
    """
    shared_bench.serve(agent("tables", nodes))
    shown = metadata(shared_bench.run("tables"), "table")["preview"]
    assert shown.startswith(
        "frame: 9 rows, the first 5 of them\n\n| a | b |\n| --- | --- |\n| 0 | x\\|y |\n| 1 | long "
    )
    assert "| 4 | " in shown
    assert "| 5 | " not in shown
    assert '"rows": 9' in shown
    assert "$part" not in shown


def test_a_node_that_runs_an_agent_says_which() -> None:
    runs = """
    other: {kind: agent.run, with: {agent: "agents/qa:v0.8"}}
    """
    assert spec(agent("runs", runs), "other").description == (
        "Runs agents/qa:v0.8, and gives its outputs."
    )


def test_what_an_asset_is_called_and_whose_it_is() -> None:
    described = spec(TRIAGE, "classify")
    assert described.key == AssetKey(["support_triage", "classify"])
    assert described.group_name == "support_triage"
    assert described.kinds == {"ai", "agentflow"}
    assert described.owners == ["team:support"]
    assert described.description == "What is it?"
    assert described.tags["agentflow/node"] == "classify"
    assert described.tags["agentflow/kind"] == "ai.chat"
    assert described.tags["label/team"] == "support"
    assert spec(TRIAGE, "done").kinds == {"logic", "agentflow"}
    assert spec(TRIAGE, "done").description == Merge.summary


def test_the_job_tells_who_the_agent_is() -> None:
    made = compiled(TRIAGE)
    assert made.job.name == "support_triage_job"
    assert "Sorts tickets ✉" in str(made.job.description)
    assert "Version: v1" in str(made.job.description)
    tags = cast("dict[str, str]", made.job.tags)
    assert tags["agentflow/agent"] == "support-triage"
    assert tags["agentflow/version"] == made.version.hash
    assert tags["label/team"] == "support"


def test_lineage_goes_through_nodes_that_only_choose() -> None:
    definition = compiled(TRIAGE).assets[0]
    parents = {
        key.path[1]: {dep.asset_key.path[1] for dep in definition.specs_by_key[key].deps}
        for key in definition.keys
    }
    assert parents == {
        "classify": set(),
        "file_bug": {"classify"},
        "draft": {"classify"},
        "done": {"file_bug", "draft"},
    }


def test_lineage_goes_through_errors() -> None:
    nodes = """
    a: {kind: ai.chat, onError: {to: b}, with: {prompt: a}}
    b: {kind: logic.switch, with: {cases: {x: "{{true}}"}}}
    c: {kind: ai.chat, after: [b.x], with: {prompt: c}}
    """
    (dep,) = spec(agent("through", nodes), "c").deps
    assert dep.asset_key.path == ["through", "a"]


def test_the_code_version_is_the_plans() -> None:
    made = compiled(TRIAGE)
    for step in made.plan.steps:
        if step.asset:
            assert spec(TRIAGE, step.name).code_version == step.code_version


def test_an_asset_links_to_its_line_in_the_file() -> None:
    reference = reference_of(spec(TRIAGE, "draft"))
    assert reference.file_path == "notebooks/support-triage.yaml"
    assert TRIAGE.splitlines()[(reference.line_number or 0) - 1].strip() == "draft:"
    assert reference.label == "draft in notebooks/support-triage.yaml"


def test_an_asset_links_to_its_cell_in_the_notebook() -> None:
    made = version_of(TRIAGE)
    position = {"/spec/nodes/draft": {"line": 2, "column": 1, "cell": 4}}
    source: Any = {"file": "notebooks/t.ipynb", "positions": position}
    told = Version(made.hash, made.agent, 1, made.document, source, made.created_at)
    reference = reference_of(spec(told, "draft"))
    assert reference.file_path == "notebooks/t.ipynb"
    assert reference.label == "draft in notebooks/t.ipynb, cell 5"


def test_an_agent_from_nowhere_links_to_nothing() -> None:
    made = version_of(TRIAGE)
    source: JsonObject = {}
    told = Version(made.hash, made.agent, 1, made.document, source, made.created_at)
    assert "dagster/code_references" not in spec(told, "draft").metadata


def reference_of(described: AssetSpec) -> LocalFileCodeReference:
    value = described.metadata["dagster/code_references"]
    assert isinstance(value, CodeReferencesMetadataValue)
    (reference,) = value.code_references
    assert isinstance(reference, LocalFileCodeReference)
    return reference


LINEAGE = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: kept}
spec:
  inputs: {type: object, properties: {n: {type: integer, default: 1}}}
  nodes:
    one: {kind: code.python, with: {code: "x = n", inputs: {n: "{{input.n}}"}, outputs: [x]}}
    two: {kind: code.python, with: {code: "y = x", inputs: {x: "{{one.output.x}}"}, outputs: [y]}}
    three: {kind: code.python, with: {code: "z = y", inputs: {y: "{{two.output.y}}"}, outputs: [z]}}
  outputs: {y: "{{two.output.y}}"}
  lineage: nodes
"""


@pytest.mark.parametrize(
    ("lineage", "assets"),
    [("nodes", {"one", "two", "three"}), ("outputs", {"two", "three"}), ("none", set[str]())],
)
def test_lineage_says_which_nodes_are_assets(bench: Bench, lineage: str, assets: set[str]) -> None:
    bench.serve(LINEAGE.replace("lineage: nodes", f"lineage: {lineage}"))
    ran = bench.run("kept", {"n": 7})
    assert ran.status == "SUCCESS"
    assert ran.materialized == assets
    assert ran.values["three"].value == {"z": 7}
    assert ran.tags["agentflow/agent"] == "kept"
