"""What nodes check of their data shows as Dagster's asset checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dagster import AssetCheckSeverity, AssetKey, DagsterEventType

from tests.orchestration.bench import compiled
from tests.orchestration.samples import agent

if TYPE_CHECKING:
    from tests.orchestration.bench import Bench, Ran

INPUTS = "{n: {type: integer}}"


def contract(way: str, more: str = "") -> str:
    """A node that wants `n` to be at least 3, one before it and one after it."""
    return agent(
        f"contract-{way}",
        f"""
    before: {{kind: ai.chat, with: {{prompt: "{{{{string(input.n)}}}}"}}}}
    small:
      kind: transform.validate
      after: [before]
      {more}
      with: {{value: "{{{{input.n}}}}", schema: {{type: integer, minimum: 3}}, onInvalid: {way}}}
    next: {{kind: ai.chat, with: {{prompt: "{{{{string(small.output.valid)}}}}"}}}}
    """,
        inputs=INPUTS,
    )


def evaluations(ran: Ran) -> list[Any]:
    found = ran.of_type(DagsterEventType.ASSET_CHECK_EVALUATION)
    return [event.asset_check_evaluation_data for event in found]


@pytest.mark.parametrize(("way", "blocking"), [("fail", True), ("warn", False), ("route", False)])
def test_checks_are_declared(way: str, blocking: bool) -> None:
    (spec,) = compiled(contract(way)).assets[0].check_specs
    assert (spec.name, spec.blocking) == ("schema", blocking)
    assert spec.asset_key == AssetKey([f"contract_{way}", "small"])


def test_one_whose_error_is_handled_blocks_nothing() -> None:
    nodes = """
    v: {kind: transform.validate, onError: {to: w}, with: {value: 1, schema: {type: string}}}
    w: {kind: ai.chat, with: {prompt: w}}
    """
    (spec,) = compiled(agent("handled", nodes)).assets[0].check_specs
    assert not spec.blocking


def test_a_check_that_passes(shared_bench: Bench) -> None:
    shared_bench.serve(contract("fail"))
    ran = shared_bench.run("contract-fail", {"n": 3})
    (told,) = evaluations(ran)
    assert (told.check_name, told.passed) == ("schema", True)
    assert ran.status == "SUCCESS"
    assert {"small", "next"} <= ran.materialized


def test_a_check_that_blocks(shared_bench: Bench) -> None:
    shared_bench.serve(contract("fail"))
    ran = shared_bench.run("contract-fail", {"n": 1})
    (told,) = evaluations(ran)
    assert (told.passed, told.severity, told.blocking) == (False, AssetCheckSeverity.ERROR, True)
    assert "less than the minimum" in told.description
    assert (ran.status, ran.failed) == ("FAILURE", {"small"})
    assert ran.materialized == {"before"}
    assert "refuses its data" in ran.failure("small").error.message


def test_a_check_that_warns(shared_bench: Bench) -> None:
    shared_bench.serve(contract("warn"))
    ran = shared_bench.run("contract-warn", {"n": 1})
    (told,) = evaluations(ran)
    assert (told.passed, told.severity, told.blocking) == (False, AssetCheckSeverity.WARN, False)
    assert ran.status == "SUCCESS"
    assert ran.values["next"].value == {"text": "re: false"}


def test_invalid_data_takes_its_own_way(shared_bench: Bench) -> None:
    shared_bench.serve(contract("route"))
    ran = shared_bench.run("contract-route", {"n": 1})
    (told,) = evaluations(ran)
    assert not told.passed
    assert ran.status == "SUCCESS"
    assert "result" not in ran.outputs("small")
    assert ran.skipped == {"next"}


def test_a_handled_failure_shows_its_check(shared_bench: Bench) -> None:
    nodes = """
    v: {kind: transform.validate, onError: {to: w}, with: {value: 1, schema: {type: string}}}
    w: {kind: ai.chat, with: {prompt: "{{v.error.type}}"}}
    """
    shared_bench.serve(agent("handled", nodes))
    ran = shared_bench.run("handled")
    (told,) = evaluations(ran)
    assert (told.passed, ran.status) == (False, "SUCCESS")
    assert ran.values["w"].value == {"text": "re: ChecksFailed"}


@pytest.mark.parametrize("job", ["contract_warn_job", "__ASSET_JOB"])
def test_checks_in_a_run_of_some_assets(bench: Bench, job: str) -> None:
    bench.serve(contract("warn"))
    assert bench.run("contract-warn", {"n": 1}).status == "SUCCESS"
    replayed = bench.partial("contract-warn", "next", job=job)
    assert (replayed.status, evaluations(replayed)) == ("SUCCESS", [])
    judged = bench.partial("contract-warn", "small", job=job)
    assert (judged.status, judged.materialized) == ("SUCCESS", {"small"})
    assert [told.passed for told in evaluations(judged)] == [False]
