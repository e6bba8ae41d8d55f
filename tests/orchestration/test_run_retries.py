"""Runs that fail are tried again, once each, and stand in the queue of dead letters in the end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from dagster import DagsterRunStatus
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from agentflow_dagster.errors import ModelError, UsageError
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.run_retries import try_again
from agentflow_dagster.orchestration.run_verdicts import LONGEST_WAIT, Judge, wait_before
from agentflow_dagster.spec.document import Config
from tests.orchestration import lane, served
from tests.orchestration.bench import loading
from tests.orchestration.samples import agent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from dagster import DagsterRun

    from agentflow_dagster.ports.failures import DeadLetter
    from agentflow_dagster.ports.model import ModelRequest
    from tests.orchestration.bench import Bench, Ran

    Lane = Callable[..., Ran]

NODES = """
    first: {kind: ai.chat, with: {prompt: "one {{input.word}}"}}
    second: {kind: ai.chat, after: [first], with: {prompt: "two"}}
"""
WORD = "{word: {type: string, default: bug}}"
HOOK = "triggers: {calls: {webhook: {path: /t}}}"
TWICE = agent(
    "twice", NODES, inputs=WORD, more=f"config: {{runRetries: 1, runRetryDelay: 1ms}}\n  {HOOK}"
)
ONCE = agent("once", NODES, inputs=WORD, more=HOOK)


@pytest.fixture(params=["engine", "stock"])
def run(bench: Bench, request: pytest.FixtureRequest) -> Lane:
    """Runs an agent in one of the lanes, as some trigger would."""

    def by_engine(name: str, given: Any = None, **tags: str) -> Ran:
        del tags
        return lane.run(bench, name, given)

    def stock(name: str, given: Any = None, **tags: str) -> Ran:
        return bench.run(name, given, tags=tags)

    return by_engine if request.param == "engine" else stock


@pytest.fixture
def judge(bench: Bench) -> Judge:
    return Judge(bench.instance, bench.stores.versions, bench.stores.failures)


def failing(bench: Bench, *prompts: str) -> None:
    """Fails these prompts; answers others as ever."""
    bench.model.label()
    answer = bench.model.answer

    def scripted(request: ModelRequest) -> object:
        if request.messages[-1].content in prompts:
            raise ModelError("down", model="m", provider="p", retryable=False)
        return answer(request)

    bench.model.answer = scripted  # type: ignore[assignment]


def deployed(bench: Bench, *sources: str) -> None:
    for source in sources:
        bench.version(source, deploy=True)
        bench.serve(source)


def triggered(bench: Bench, name: str, **given: str) -> Ran:
    return bench.run(name, dict(given) or None, tags={names.TRIGGER_TAG: "calls"})


@contextmanager
def workspace_of(bench: Bench) -> Generator[Any]:
    served.at_work[:] = [bench]
    origin = LoadableTargetOrigin(module_name=served.__name__, attribute="defs")
    with loading(), in_process_test_workspace(bench.instance, origin) as workspace:
        yield workspace


@pytest.fixture
def submitted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs that were submitted; a test executes them itself."""
    runs: list[str] = []

    def submit(run_id: str, _: object) -> DagsterRun:
        runs.append(run_id)
        found = bench.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    monkeypatch.setattr(bench.instance, "submit_run", submit)
    return runs


def looked(bench: Bench, judge: Judge, submitted: list[str]) -> list[Ran]:
    """What a look of the daemon starts, executed."""
    began = len(submitted)
    judge.judge_all()
    with workspace_of(bench) as workspace:
        for due in judge.failures.due():
            try_again(workspace, judge.failures, due)
    runs = [bench.instance.get_run_by_id(run_id) for run_id in submitted[began:]]
    return [bench.execute(one) for one in runs if one is not None]


def letters(bench: Bench) -> list[DeadLetter]:
    return list(bench.stores.failures.dead())


def test_a_failure_is_noted_with_its_event(bench: Bench, run: Lane) -> None:
    deployed(bench, TWICE)
    assert run("twice").status == "SUCCESS"
    assert bench.stores.failures.unjudged() == []
    failing(bench, "two")
    ran = run("twice")
    assert ran.status == "FAILURE"
    ((_, run_id),) = bench.stores.failures.unjudged()
    assert run_id == ran.run_id


def test_a_run_goes_on_from_where_it_failed(
    bench: Bench, run: Lane, judge: Judge, submitted: list[str]
) -> None:
    deployed(bench, TWICE)
    failing(bench, "two")
    failed = run("twice", {"word": "x"}, **{names.TRIGGER_TAG: "calls"})
    failing(bench)
    bench.model.requests.clear()
    (again,) = looked(bench, judge, submitted)
    assert again.status == "SUCCESS"
    assert [r.messages[-1].content for r in bench.model.requests] == ["two"]
    assert again.run.parent_run_id == again.run.root_run_id == failed.run_id
    assert again.tags["dagster/retry_number"] == "1"
    group = bench.instance.get_run_group(failed.run_id)
    assert group is not None
    assert {one.run_id for one in group[1]} == {failed.run_id, again.run_id}
    assert looked(bench, judge, submitted) == []
    assert letters(bench) == []


def test_in_the_end_it_is_a_dead_letter(
    bench: Bench, run: Lane, judge: Judge, submitted: list[str]
) -> None:
    deployed(bench, TWICE)
    failing(bench, "two")
    run("twice", {"word": "x"}, **{names.TRIGGER_TAG: "calls"})
    assert letters(bench) == []
    (again,) = looked(bench, judge, submitted)
    assert again.status == "FAILURE"
    assert looked(bench, judge, submitted) == []
    (letter,) = letters(bench)
    assert (letter.agent, letter.attempts, letter.run_id) == ("twice", 2, again.run_id)
    assert letter.input == '{"word": "x"}'
    assert "down" in letter.error
    assert bench.stores.failures.dead("TWICE") == []
    assert bench.stores.failures.dead("twice") == [letter]


def test_one_is_tried_once_however_many_try(
    bench: Bench, judge: Judge, submitted: list[str]
) -> None:
    deployed(bench, TWICE)
    failing(bench, "two")
    triggered(bench, "twice")
    judge.judge_all()
    (due,) = judge.failures.due()
    with workspace_of(bench) as workspace:
        for _ in range(3):
            try_again(workspace, judge.failures, due)
    assert len(submitted) == 1
    assert len(bench.instance.get_runs()) == 2


def test_one_that_was_made_and_not_submitted_is_submitted(
    bench: Bench, judge: Judge, submitted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(bench, TWICE)
    failing(bench, "two")
    triggered(bench, "twice")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bench.instance, "submit_run", dies)
        with pytest.raises(KeyboardInterrupt):
            looked(bench, judge, submitted)
    (due,) = judge.failures.due()
    assert due.made is not None
    failing(bench)
    (again,) = looked(bench, judge, submitted)
    assert (again.run_id, again.status) == (due.made, "SUCCESS")
    assert judge.failures.due() == []


def test_what_is_owed(bench: Bench, judge: Judge) -> None:
    deployed(bench, TWICE, ONCE)
    bench.serve(agent("file", NODES, inputs=WORD, more="config: {runRetries: 3}"))
    failing(bench, "two")
    tags = [
        ("once", {}, None),
        ("once", {names.TRIGGER_TAG: "manual"}, None),
        ("once", {names.TRIGGER_TAG: "calls"}, "dead"),
        ("once", {names.TRIGGER_TAG: "calls", names.PARENT_RUN_TAG: "above"}, None),
        ("twice", {}, "waiting"),
        ("twice", {"dagster/retry_number": "1"}, "dead"),
        ("file", {names.TRIGGER_TAG: "calls"}, None),  # It is not deployed.
    ]
    for name, given, expected in tags:
        verdict = judge.verdict(bench.run(name, tags=given).run_id)
        found = verdict and ("dead" if verdict.wait_seconds is None else "waiting")
        assert found == expected, (name, given)
    assert judge.verdict("no such run") is None


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        ("none", [30, 30, 30]),
        ("fixed", [30, 30, 30]),
        ("linear", [30, 60, 90]),
        ("exponential", [30, 60, 120]),
    ],
)
def test_it_waits_longer_each_time(policy: Any, waits: list[float]) -> None:
    config = Config(retry_policy=policy)
    assert [wait_before(config, n) for n in range(3)] == waits
    assert wait_before(Config(retry_policy="exponential", run_retry_delay="1h"), 9) == LONGEST_WAIT


def test_a_person_has_it_tried_again_once(bench: Bench, judge: Judge, submitted: list[str]) -> None:
    deployed(bench, ONCE)
    failing(bench, "two")
    triggered(bench, "once", word="x")
    assert looked(bench, judge, submitted) == []
    (letter,) = letters(bench)
    failures = bench.stores.failures
    assert [failures.send(letter.id) for _ in range(3)] == ["asked", "asked before", "asked before"]
    assert letters(bench) == []
    (again,) = looked(bench, judge, submitted)
    assert again.nodes_succeeded == {"first"}  # From its beginning,
    assert again.values["first"].value == {"text": "re: one x"}  # with the input it had.
    judge.judge_all()
    (back,) = letters(bench)
    assert (back.run_id, back.id != letter.id) == (again.run_id, True)
    assert failures.send(letter.id) == "asked before"
    assert len(bench.instance.get_runs()) == 2
    assert failures.drop(back.id)
    assert not failures.drop(back.id)
    assert letters(bench) == []
    assert failures.send(back.id) == "not there"


def test_a_call_that_never_became_a_run(bench: Bench) -> None:
    inbox, failures = bench.stores.inbox, bench.stores.failures
    call, other = (inbox.add("once", "calls", {"n": n})[0] for n in range(2))
    for one in (call, other):
        inbox.reject(one.id, "no input")
    told = {letter.id: (letter.input, letter.error, letter.attempts) for letter in letters(bench)}
    assert told == {
        f"call-{call.id}": ('{"n":0}', "no input", 0),
        f"call-{other.id}": ('{"n":1}', "no input", 0),
    }
    assert failures.send(f"call-{call.id}") == "asked"
    assert failures.send(f"call-{call.id}") == "asked before"
    assert [one.id for one in inbox.pending("once")] == [call.id]
    assert failures.drop(f"call-{other.id}")
    assert letters(bench) == []
    assert failures.send(f"call-{other.id}") == "not there"
    for wrong in ("7", "run-", "run-0", "calls-1", "run-1; drop"):
        with pytest.raises(UsageError, match="no dead letter"):
            failures.send(wrong)


def test_another_version_begins_anew(bench: Bench, judge: Judge, submitted: list[str]) -> None:
    deployed(bench, TWICE)
    failing(bench, "two")
    triggered(bench, "twice")
    deployed(bench, TWICE.replace('"two"', '"three"'))
    bench.model.requests.clear()
    (again,) = looked(bench, judge, submitted)
    assert again.status == "SUCCESS"
    assert [r.messages[-1].content for r in bench.model.requests] == ["one bug", "three"]
    assert again.tags[names.VERSION_TAG] == bench.compiled["twice"].version.hash


def test_one_whose_agent_is_gone_is_left_to_a_person(
    bench: Bench, judge: Judge, submitted: list[str]
) -> None:
    deployed(bench, TWICE)
    failing(bench, "two")
    triggered(bench, "twice")
    bench.clear()
    deployed(bench, ONCE)
    assert looked(bench, judge, submitted) == []
    (letter,) = letters(bench)
    assert "twice_job" in letter.error


def test_a_person_may_run_a_retry_again(bench: Bench, judge: Judge, submitted: list[str]) -> None:
    """Their run takes the retry's tags along."""
    deployed(bench, TWICE)
    failing(bench, "two")
    triggered(bench, "twice")
    (again,) = looked(bench, judge, submitted)
    assert names.RETRY_OF_TAG in again.tags
    by_hand = bench.reexecute(again, ReexecutionStrategy.ALL_STEPS)
    assert by_hand.tags[names.RETRY_OF_TAG] == again.tags[names.RETRY_OF_TAG]
    assert by_hand.run.status == DagsterRunStatus.FAILURE


def test_it_waits_for_its_time(bench: Bench, judge: Judge, submitted: list[str]) -> None:
    deployed(bench, TWICE.replace("1ms", "1h"))
    failing(bench, "two")
    triggered(bench, "twice")
    assert looked(bench, judge, submitted) == []
    assert letters(bench) == []
    engine = sa.create_engine(bench.database_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        later = "UPDATE agentflow.failures SET due = due - interval '1 hour'"
        connection.execute(sa.text(later))
    engine.dispose()
    assert len(looked(bench, judge, submitted)) == 1
