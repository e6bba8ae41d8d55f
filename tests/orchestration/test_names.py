"""Whatever an author calls things, Dagster takes it; what it keeps for itself is stepped around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dagster._core.definitions.utils import DISALLOWED_NAMES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentflow_dagster.orchestration import names
from tests.orchestration.bench import compiled
from tests.orchestration.samples import agent

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench

ONE = """
    only: {kind: ai.chat, with: {prompt: hello}}
"""


def document(name: str, **metadata: Any) -> JsonObject:
    return {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": name, **metadata},
        "spec": {"nodes": {"only": {"kind": "ai.chat", "with": {"prompt": "hello"}}}},
    }


def test_we_know_the_words_that_dagster_keeps() -> None:
    assert {w for w in DISALLOWED_NAMES if names.allowed(w) == w} == set()


@pytest.mark.parametrize("name", ["config", "type", "def", "input", "int", "lambda"])
def test_an_agent_may_be_called_as_dagster_calls_things(bench: Bench, name: str) -> None:
    bench.serve(document(name))
    ran = bench.run(name)
    assert ran.status == "SUCCESS"
    assert ran.tags["agentflow/agent"] == name


def test_agents_whose_names_look_like_other_names(bench: Bench) -> None:
    """An agent's job, sensor, schedules, graph and ops share one space of names with others'."""
    more = """
  triggers:
    job: {schedule: {cron: "0 9 * * *"}}
    events: {schedule: {cron: "0 9 * * *"}}
    hook: {webhook: {path: /NAME}}
"""
    called = ("a", "a-job", "a-job-job", "a-events", "a-only", "job", "asset-job")
    bench.serve(*(agent(name, ONE, more=more.replace("NAME", name)) for name in called))
    for name in called:
        ran = bench.run(name)
        assert ran.status == "SUCCESS"
        assert ran.tags["agentflow/agent"] == name
    assert len(list(bench.repository.schedule_defs)) == 2 * len(called)
    assert len(list(bench.repository.sensor_defs)) == len(called)


def test_the_longest_names(bench: Bench) -> None:
    name, node = "a" * 63, "n" * 63
    nodes = f"""
    {node}: {{kind: ai.chat, with: {{prompt: hello}}}}
    switch: {{kind: logic.switch, after: [{node}], with: {{cases: {{{"c" * 63}: "{{{{true}}}}"}}}}}}
    last: {{kind: ai.chat, after: [switch.{"c" * 63}], with: {{prompt: hello}}}}
    """
    more = f'triggers: {{{"t" * 63}: {{schedule: {{cron: "0 9 * * *"}}}}}}'
    bench.serve(agent(name, nodes, more=more))
    ran = bench.run(name)
    assert ran.status == "SUCCESS"
    assert set(ran.values) == {node, "switch", "last"}


@pytest.mark.parametrize("label", ["agent", "source_run", "partial", "version", "trigger"])
def test_no_label_passes_for_a_tag_of_ours(bench: Bench, label: str) -> None:
    bench.serve(document("labelled", labels={label: "not-so"}))
    ran = bench.run("labelled")
    assert ran.status == "SUCCESS"
    assert ran.tags["agentflow/agent"] == "labelled"
    assert ran.tags[f"label/{label}"] == "not-so"
    assert "agentflow/source_run" not in ran.tags


def test_labels_go_on_runs_as_they_are_and_on_assets_as_far_as_dagster_takes_them() -> None:
    labels = {"cost centre": "Vertrieb Süd / 12", "team": "a b"}
    made = compiled(document("labelled", labels=labels))
    tags: Any = made.job.tags
    assert tags["label/cost_centre"] == "Vertrieb Süd / 12"
    (spec,) = made.assets[0].specs
    assert spec.tags["label/cost_centre"] == "Vertrieb_S_d___12"
    assert list(spec.owners) == ["team:a b"]


LABELS = st.dictionaries(
    st.text(max_size=80) | st.sampled_from(["team", "dagster/x", "agentflow/agent", "/", ""]),
    st.text(max_size=255),
    max_size=4,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    labels=LABELS,
    description=st.text(max_size=200),
    node_description=st.text(max_size=200),
    icon=st.text(max_size=16),
)
def test_no_text_of_an_authors_stops_an_agent(
    labels: dict[str, str], description: str, node_description: str, icon: str
) -> None:
    told: Any = document("texts", labels=labels, description=description, icon=icon)
    told["spec"]["nodes"]["only"]["description"] = node_description
    made = compiled(told)
    tags: Any = made.job.tags
    assert tags["agentflow/agent"] == "texts"
    (spec,) = made.assets[0].specs
    assert spec.description in (node_description, "Asks a model and gives its answer as text.")
