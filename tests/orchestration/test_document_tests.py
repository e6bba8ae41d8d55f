"""The tests of documents are asset checks, executed by themselves and by nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dagster import AssetCheckKey, AssetKey, DagsterEventType

from agentflow_dagster.orchestration import names
from tests.orchestration.bench import QUIET
from tests.orchestration.samples import TRIAGE, agent

if TYPE_CHECKING:
    from tests.orchestration.bench import Bench, Ran

TESTS = """
  tests:
    bugs_are_filed:
      description: Nobody drafts a reply.
      input: {body: a bug}
      expect:
        - {value: outputs.label, equals: bug}
        - {skipped: [draft]}
    type:
      node: classify
      input: {body: a question}
      expect: [{value: classify.output.text, equals: howto}]
"""
KEY = AssetKey(["support_triage", "_tests"])
JOB = "support_triage__tests"


def evaluations(ran: Ran) -> dict[str, Any]:
    found = ran.of_type(DagsterEventType.ASSET_CHECK_EVALUATION)
    told = [event.asset_check_evaluation_data for event in found]
    return {one.check_name: one for one in told}


@pytest.fixture
def tested(shared_bench: Bench) -> Bench:
    shared_bench.serve(TRIAGE + TESTS)
    return shared_bench


def test_each_test_is_a_check(tested: Bench) -> None:
    graph = tested.repository.asset_graph
    assert graph.asset_check_keys == {
        AssetCheckKey(KEY, "bugs_are_filed"),
        AssetCheckKey(KEY, "type"),
    }
    spec = graph.get_check_spec(AssetCheckKey(KEY, "bugs_are_filed"))
    assert (spec.description, spec.blocking) == ("Nobody drafts a reply.", False)
    assert graph.get_check_spec(AssetCheckKey(KEY, "type")).metadata == {"node": "classify"}
    assert not graph.get(KEY).is_executable
    assert graph.get(KEY).group_name == "support_triage"


def test_an_agent_without_tests_has_no_such_asset(shared_bench: Bench) -> None:
    shared_bench.serve(TRIAGE)
    assert not shared_bench.repository.asset_graph.has(KEY)
    assert not shared_bench.repository.has_job(JOB)


def test_the_job_executes_them_all(tested: Bench) -> None:
    ran = tested.launch(JOB, config={})
    assert ran.status == "SUCCESS"
    assert ran.materialized == set()
    told = evaluations(ran)
    passed = told["bugs_are_filed"]
    assert (passed.passed, passed.asset_key) == (True, KEY)
    facts = {name: fact.value for name, fact in passed.metadata.items()}
    assert facts["version"] == tested.served["support-triage"].version.hash
    assert (facts["cases"], facts["pass_rate"]) == (1, 1.0)
    assert (facts["tokens"], facts["cost_usd"]) == (20, 0.001)
    failed = told["type"]
    assert not failed.passed
    assert failed.description == "classify.output.text is another (expect/0/equals)"
    assert "- howto\n  + other" in failed.metadata["report"].value


def test_one_is_executed_by_itself(tested: Bench) -> None:
    job = tested.repository.get_job("__ASSET_JOB").get_subset(
        asset_selection=set(), asset_check_selection={AssetCheckKey(KEY, "type")}
    )
    tested.model.requests.clear()
    done = job.execute_in_process(instance=tested.instance, run_config={"loggers": QUIET})
    ran = tested.ran(done.run_id)
    assert (ran.status, set(evaluations(ran))) == ("SUCCESS", {"type"})
    assert len(tested.model.requests) == 1


@pytest.mark.parametrize("job", ["support_triage_job", "__ASSET_JOB"])
def test_no_other_run_executes_them(tested: Bench, job: str) -> None:
    whole = tested.run("support-triage", {"body": "a bug"})
    assert (whole.status, evaluations(whole)) == ("SUCCESS", {})
    config: Any = {"source_run": whole.run_id}
    part = tested.partial("support-triage", "classify", config=config, job=job)
    assert (part.status, part.materialized, evaluations(part)) == ("SUCCESS", {"classify"}, {})


def test_runs_of_tests_are_none_of_the_agent(tested: Bench) -> None:
    ran = tested.launch(JOB, config={})
    assert names.AGENT_TAG not in ran.tags
    assert ran.tags[names.TESTED_TAG] == "support-triage"
    assert ran.values == {}


def test_agents_that_it_runs_are_run_in_memory(shared_bench: Bench) -> None:
    asker = agent(
        "asker",
        """
    other: {kind: agent.run, with: {agent: agents/other, input: {}}}
    missing: {kind: agent.run, with: {agent: agents/nobody, input: {}}}
  tests:
    one:
      mocks: {missing: {output: {}}}
      expect: [{value: other.output, contains: {said: "re: hello"}}]
    two:
      expect: [{failure: {contains: "There is no agent 'agents/nobody' here."}}]
    """,
    )
    other = agent(
        "other",
        """
    say: {kind: ai.chat, with: {prompt: hello}}
  outputs: {said: "{{say.output.text}}"}
    """,
    )
    shared_bench.serve(other, asker)
    before = shared_bench.instance.get_runs_count()
    told = evaluations(shared_bench.launch("asker__tests", config={}))
    assert {name: one.passed for name, one in told.items()} == {"one": True, "two": True}
    assert shared_bench.instance.get_runs_count() == before + 1


def test_of_an_agent_without_assets(shared_bench: Bench) -> None:
    shared_bench.serve(
        agent(
            "plain",
            """
    say: {kind: ai.chat, with: {prompt: hello}}
  tests:
    one: {expect: [{value: say.output.text, equals: "re: hello"}]}
    """,
            more="lineage: none",
        )
    )
    told = evaluations(shared_bench.launch("plain__tests", config={}))
    assert told["one"].passed


def test_a_data_set_that_is_missing_is_told(shared_bench: Bench) -> None:
    shared_bench.serve(
        agent(
            "rows",
            """
    say: {kind: ai.chat, with: {prompt: hello}}
  tests:
    one: {cases: {file: none.csv}, expect: [{status: SUCCESS}]}
    """,
        )
    )
    ran = shared_bench.launch("rows__tests", config={})
    told = evaluations(ran)["one"]
    assert (ran.status, told.passed) == ("SUCCESS", False)
    assert "none.csv" in told.description
