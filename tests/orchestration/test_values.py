"""Values belong to a run and an agent: whatever else is under way, none are mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.orchestration.samples import TRIAGE, agent

if TYPE_CHECKING:
    from tests.orchestration.bench import Bench

CHAIN = """
first: {kind: ai.chat, with: {prompt: "{{input.word}}"}}
second: {kind: ai.chat, with: {prompt: "{{first.output.text}} {{run.id}}"}}
third: {kind: ai.chat, with: {prompt: "{{second.output.text}} {{input.word}}"}}
""".replace("\n", "\n    ")


def test_two_runs_of_an_agent_step_by_step_beside_each_other(bench: Bench) -> None:
    bench.serve(agent("chain", CHAIN, inputs="{word: {type: string}}"))
    runs = [bench.prepare("chain", {"word": word}) for word in ("one", "two")]
    under_way = [bench.stepwise(run) for run in runs]
    while under_way:
        under_way = [events for events in under_way if next(events, None) is not None]
    for run, word in zip(runs, ("one", "two"), strict=True):
        ran = bench.ran(run.run_id)
        said = f"re: re: re: {word} {run.run_id} {word}"
        assert ran.status == "SUCCESS"
        assert ran.values["third"].value == {"text": said}


def test_two_agents_in_one_run_whose_nodes_are_called_the_same(bench: Bench) -> None:
    """Dagster's own asset job makes assets of several agents in one run."""
    inputs = "{word: {type: string}}"
    bench.serve(agent("left", CHAIN, inputs=inputs), agent("right", CHAIN, inputs=inputs))
    config = {
        "ops": {
            "left": {"config": {"input": {"word": "L"}}},
            "right": {"config": {"input": {"word": "R"}}},
        }
    }
    ran = bench.launch("__ASSET_JOB", config=config)
    assert ran.status == "SUCCESS"
    previews = {"/".join(k.path): m["preview"].value for k, m in ran.materializations.items()}
    assert len(previews) == 6
    for node in ("first", "second", "third"):
        assert "L" in previews[f"left/{node}"]
        assert "R" not in previews[f"left/{node}"]
        assert "R" in previews[f"right/{node}"]
        assert "L" not in previews[f"right/{node}"]


def test_a_whole_run_in_dagsters_own_job_is_a_run_of_the_agent(bench: Bench) -> None:
    served = bench.serve(TRIAGE)
    ran = bench.launch(
        "__ASSET_JOB",
        config={"ops": {"support_triage": {"config": {"input": {"body": "a bug"}}}}},
        select=[f"support_triage/{node}" for node in ("classify", "file_bug", "draft", "done")],
    )
    assert ran.status == "SUCCESS"
    assert set(ran.values) == {"classify", "route", "file_bug", "done"}
    assert ran.tags["agentflow/agent"] == "support-triage"
    assert ran.tags["agentflow/version"] == served.version.hash
    assert "agentflow/partial" not in ran.tags


def test_the_input_is_stored_complete(bench: Bench) -> None:
    bench.serve(TRIAGE)
    ran = bench.run("support-triage", {"body": "b"})
    stored = bench.stores.steps.get(ran.run_id, "$input")
    assert stored is not None
    assert stored.value == {"subject": "", "body": "b"}


def test_an_input_that_dagster_takes_and_the_schema_does_not_fails_plainly(bench: Bench) -> None:
    inputs = "{word: {type: string, maxLength: 3}}"
    bench.serve(agent("short", CHAIN, inputs=inputs))
    ran = bench.run("short", {"word": "much too long"})
    assert ran.status == "FAILURE"
    assert ran.failed == {"first"}
    assert "word" in ran.failure("first").error.message
    assert bench.model.requests == []
