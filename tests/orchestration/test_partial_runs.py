"""Runs of some of an agent's nodes: where the rest comes from, and what is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dagster import DagsterEventType
from dagster._core.errors import DagsterInvalidConfigError
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy

from agentflow_dagster.errors import ModelError
from tests.orchestration.samples import TRIAGE, agent

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench, Ran

NEWEST: JsonObject = {"source_run": "newest"}
FREE = """
    fetch: {kind: ai.chat, with: {prompt: "{{input.word}}"}}
    classify: {kind: ai.chat, with: {prompt: "label {{fetch.output.text}}"}}
    route: {kind: logic.switch, with: {cases: {bug: "{{classify.output.text == 'bug'}}"}, default: other}}
    file_bug: {kind: ai.chat, after: [route.bug], with: {prompt: file}}
    draft: {kind: ai.chat, after: [route.other], with: {prompt: draft}}
    done: {kind: logic.merge, join: any, with: {from: [file_bug, draft]}}
    last: {kind: ai.chat, with: {prompt: "{{done.output.text}} of {{fetch.output.text}}"}}
"""  # noqa: E501
WORD = "{word: {type: string, default: bug}}"


def asked(bench: Bench) -> list[str]:
    """What the model was asked since the last time."""
    prompts = [r.messages[-1].content for r in bench.model.requests]
    bench.model.requests.clear()
    return prompts


def failing(bench: Bench, *prompts: str) -> None:
    """Fails these prompts; answers others as ever."""
    bench.model.label()
    answer = bench.model.answer

    def scripted(request: ModelRequest) -> object:
        if request.messages[-1].content in prompts:
            raise ModelError("down", model="m", provider="p", retryable=False)
        return answer(request)

    bench.model.answer = scripted  # type: ignore[assignment]


@pytest.fixture
def source(bench: Bench) -> Ran:
    """A whole run of the agent `free`, which went the way of bugs."""
    bench.serve(agent("free", FREE, inputs=WORD))
    ran = bench.run("free", {"word": "a bug"})
    assert ran.status == "SUCCESS"
    asked(bench)
    return ran


@pytest.mark.parametrize("job", ["free_job", "__ASSET_JOB"])
def test_the_rest_comes_from_the_newest_whole_run(bench: Bench, source: Ran, job: str) -> None:
    ran = bench.partial("free", "done", "last", job=job)
    assert ran.status == "SUCCESS"
    assert ran.materialized == set(ran.values) == {"done", "last"}
    assert asked(bench) == ["re: file of re: a bug"]
    assert ran.values["done"].value == source.values["done"].value
    assert ran.tags["agentflow/source_run"] == source.run_id
    assert ran.tags["agentflow/partial"] == "true"
    assert ran.tags["agentflow/agent"] == "free"


def test_nodes_that_choose_go_the_way_of_the_source_run(bench: Bench, source: Ran) -> None:
    del source
    ran = bench.partial("free", "file_bug", "draft")
    assert ran.outputs("route") == ["bug"]
    assert ran.materialized == {"file_bug"}
    assert ran.skipped == {"draft"}
    assert "route" not in ran.values
    assert asked(bench) == ["file"]


def test_a_node_that_chooses_is_asked_again_where_its_ground_is_new(
    bench: Bench, source: Ran
) -> None:
    """Else a better classification would not change where its ticket goes."""
    del source
    bench.model.answer = lambda _: "howto"
    ran = bench.partial("free", "classify", "file_bug", "draft", "done")
    assert ran.outputs("route") == ["other"]
    assert ran.materialized == {"classify", "draft", "done"}
    assert ran.values["done"].value == {"text": "howto"}


def test_what_the_old_way_put_out_is_gone_with_it(bench: Bench, source: Ran) -> None:
    """`file_bug` ran in the source run, and its value would be the merge's first choice."""
    del source
    bench.model.answer = lambda _: "howto"
    ran = bench.partial("free", "classify", "draft", "done")
    assert ran.status == "SUCCESS"
    assert ran.materialized == {"classify", "draft", "done"}
    assert ran.values["done"].value == {"text": "howto"}


def test_the_newest_run_in_which_the_selected_nodes_run_is_taken(bench: Bench) -> None:
    bench.serve(agent("free", FREE, inputs=WORD))
    older = bench.run("free", {"word": "question"})
    bench.run("free", {"word": "a bug"})
    asked(bench)
    ran = bench.partial("free", "draft")
    assert ran.tags["agentflow/source_run"] == older.run_id
    assert ran.materialized == {"draft"}


def test_failed_and_partial_runs_are_no_sources(bench: Bench, source: Ran) -> None:
    failing(bench, "file")
    assert bench.run("free", {"word": "another bug"}).status == "FAILURE"
    bench.model.label()
    partial = bench.partial("free", "fetch", "classify", config={"input": {"word": "yet another"}})
    assert partial.status == "SUCCESS"
    ran = bench.partial("free", "last")
    assert ran.tags["agentflow/source_run"] == source.run_id


def test_another_agents_runs_are_no_sources(bench: Bench, source: Ran) -> None:
    bench.serve(agent("free-too", FREE, inputs=WORD))
    ran = bench.partial("free-too", "last")
    assert ran.status == "FAILURE"
    ran = bench.partial("free-too", "last", config={"source_run": source.run_id})
    assert "no stored input of 'free-too'" in ran.failure("last").user_failure_data.description


@pytest.mark.parametrize("how", ["config", "tag"])
def test_a_source_run_may_be_named(bench: Bench, source: Ran, how: str) -> None:
    bench.run("free", {"word": "something newer, a bug"})
    asked(bench)
    config: JsonObject | None = {"source_run": source.run_id} if how == "config" else None
    tags = {"agentflow/source_run": source.run_id} if how == "tag" else {}
    ran = bench.partial("free", "last", config=config, tags=tags)
    assert ran.tags["agentflow/source_run"] == source.run_id
    assert asked(bench) == ["re: file of re: a bug"]


def test_a_source_run_that_does_not_exist(bench: Bench, source: Ran) -> None:
    del source
    ran = bench.partial("free", "last", config={"source_run": "none-such"})
    assert ran.status == "FAILURE"
    assert "There is no run 'none-such'" in ran.failure("last").user_failure_data.description


def test_without_a_source_run_it_says_what_is_missing(bench: Bench) -> None:
    bench.serve(agent("free", FREE, inputs=WORD))
    ran = bench.partial("free", "file_bug")
    assert ran.status == "FAILURE"
    failure = ran.failure("route").user_failure_data
    assert "No successful run of 'free' has route" in failure.description
    assert "Run the whole agent first" in failure.metadata["hint"].value
    assert ran.values == {}
    assert asked(bench) == []


def test_an_agent_that_requires_input_takes_the_newest_where_that_is_said(bench: Bench) -> None:
    bench.serve(TRIAGE)
    source = bench.run("support-triage", {"body": "a bug"})
    ran = bench.partial("support-triage", "done", config=NEWEST)
    assert ran.materialized == {"done"}
    assert ran.tags["agentflow/source_run"] == source.run_id


@pytest.mark.parametrize("job", ["support_triage_job", "__ASSET_JOB"])
def test_a_part_of_an_agent_that_requires_input_asks_for_none(bench: Bench, job: str) -> None:
    bench.serve(TRIAGE)
    source = bench.run("support-triage", {"body": "a bug"})
    ran = bench.partial("support-triage", "classify", "done", job=job)
    assert ran.materialized == {"classify", "done"}
    assert ran.tags["agentflow/source_run"] == source.run_id


@pytest.mark.parametrize("job", ["support_triage_job", "__ASSET_JOB"])
def test_the_whole_of_it_asks_for_its_input(bench: Bench, job: str) -> None:
    bench.serve(TRIAGE)
    with pytest.raises(DagsterInvalidConfigError, match='required config entry "ops"'):
        bench.partial("support-triage", "classify", "file_bug", "draft", "done", job=job)


def test_nodes_that_need_nothing_else_start_from_an_input_of_their_own(
    bench: Bench, source: Ran
) -> None:
    del source
    ran = bench.partial("free", "fetch", "classify", config={"input": {"word": "new bug"}})
    assert asked(bench) == ["new bug", "label re: new bug"]
    assert ran.materialized == {"fetch", "classify"}
    assert "agentflow/source_run" not in ran.tags


def test_an_input_is_not_mixed_with_another_runs_values(bench: Bench, source: Ran) -> None:
    del source
    ran = bench.partial("free", "last", config={"input": {"word": "new"}})
    assert ran.status == "FAILURE"
    failure = ran.failure("last").user_failure_data
    assert "needs done, fetch of another run" in failure.description
    assert "source_run" in failure.metadata["hint"].value


def test_a_whole_run_on_another_runs_input(bench: Bench, source: Ran) -> None:
    ran = bench.launch(
        "free_job", config={"ops": {"free": {"config": {"source_run": source.run_id}}}}
    )
    assert asked(bench)[0] == "a bug"
    assert ran.materialized == source.materialized
    assert "agentflow/partial" not in ran.tags


def test_a_node_whose_errors_are_handled_may_be_made_alone(bench: Bench) -> None:
    nodes = """
    first: {kind: ai.chat, with: {prompt: first}}
    shaky: {kind: ai.chat, after: [first], onError: {to: rescue}, with: {prompt: shaky}}
    rescue: {kind: ai.chat, with: {prompt: "rescue {{shaky.error.message}}"}}
    """
    bench.serve(agent("handled", nodes))
    failing(bench, "shaky")
    source = bench.run("handled")
    assert source.materialized == {"first", "rescue"}
    asked(bench)
    again = bench.partial("handled", "rescue")
    assert again.materialized == {"rescue"}
    assert again.outputs("shaky") == ["error"]
    assert asked(bench) == ["rescue down"]
    alone = bench.partial("handled", "shaky")
    assert alone.status == "SUCCESS"
    assert alone.materialized == set()
    assert alone.values["shaky"].port == "error"


def test_two_agents_in_one_run_each_find_their_own_source(bench: Bench, source: Ran) -> None:
    bench.serve(agent("other", FREE.replace("file}", "filed elsewhere}"), inputs=WORD))
    other = bench.run("other", {"word": "other bug"})
    asked(bench)
    ran = bench.launch("__ASSET_JOB", config={}, select=["free/last", "other/last"])
    assert ran.status == "SUCCESS"
    assert sorted(asked(bench)) == [
        "re: file of re: a bug",
        "re: filed elsewhere of re: other bug",
    ]
    assert ran.tags["agentflow/source_run.free"] == source.run_id
    assert ran.tags["agentflow/source_run.other"] == other.run_id
    assert ran.tags["agentflow/partial"] == "true"


def test_re_executed_from_failure_it_goes_on_where_it_failed(bench: Bench) -> None:
    bench.serve(agent("free", FREE, inputs=WORD))
    failing(bench, "file")
    failed = bench.run("free", {"word": "a bug"})
    assert failed.status == "FAILURE"
    bench.model.label()
    again = bench.reexecute(failed, ReexecutionStrategy.FROM_FAILURE)
    assert again.status == "SUCCESS"
    assert again.materialized == {"file_bug", "done", "last"}
    assert asked(bench) == ["file", "re: file of re: a bug"]
    assert again.count(DagsterEventType.STEP_START, "draft") == 0


def test_re_executed_from_failure_it_can_be_a_source(bench: Bench) -> None:
    bench.serve(agent("free", FREE, inputs=WORD))
    failing(bench, "file")
    failed = bench.run("free", {"word": "a bug"})
    bench.model.label()
    again = bench.reexecute(failed, ReexecutionStrategy.FROM_FAILURE)
    asked(bench)
    ran = bench.partial("free", "last")
    assert ran.tags["agentflow/source_run"] == again.run_id
    assert asked(bench) == ["re: file of re: a bug"]


def test_re_executed_from_failed_assets_it_goes_on_where_it_failed(bench: Bench) -> None:
    bench.serve(agent("free", FREE, inputs=WORD))
    failing(bench, "file")
    failed = bench.run("free", {"word": "a bug"})
    bench.model.label()
    again = bench.reexecute(failed, ReexecutionStrategy.FROM_ASSET_FAILURE)
    assert again.status == "SUCCESS"
    assert again.materialized == {"file_bug", "done", "last"}
    assert asked(bench) == ["file", "re: file of re: a bug"]


def test_re_executed_whole_it_starts_anew(bench: Bench, source: Ran) -> None:
    again = bench.reexecute(source, ReexecutionStrategy.ALL_STEPS)
    assert again.materialized == source.materialized
    assert asked(bench)[0] == "a bug"
    assert "agentflow/partial" not in again.tags


def test_a_partial_run_re_executed_keeps_its_source(bench: Bench, source: Ran) -> None:
    first = bench.partial("free", "last")
    bench.run("free", {"word": "a newer bug"})
    asked(bench)
    again = bench.reexecute(first, ReexecutionStrategy.ALL_STEPS)
    assert again.tags["agentflow/source_run"] == source.run_id
    assert asked(bench) == ["re: file of re: a bug"]


def test_a_failed_partial_run_goes_on_where_it_failed(bench: Bench, source: Ran) -> None:
    del source
    failing(bench, "new bug of re: a bug")
    answer = bench.model.answer
    bench.model.answer = lambda r: "new bug" if r.messages[-1].content == "file" else answer(r)
    failed = bench.partial("free", "file_bug", "done", "last")
    assert failed.failed == {"last"}
    bench.model.label()
    again = bench.reexecute(failed, ReexecutionStrategy.FROM_FAILURE)
    assert again.materialized == {"last"}
    assert asked(bench) == ["new bug of re: a bug"]
