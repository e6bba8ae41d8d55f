"""Partitioned agents on real Dagster: backfills by the job, schedules, events, partial runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from dagster import build_schedule_context, build_sensor_context

from agentflow_dagster.errors import UsageError
from agentflow_dagster.orchestration import names, partitions
from agentflow_dagster.spec.partitions import Partitions
from tests.orchestration.samples import agent

if TYPE_CHECKING:
    from dagster import RunRequest

    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench, Ran

NODES = """
    fetch: {kind: ai.chat, with: {prompt: "of {{run.partition}}"}}
    route: {kind: logic.switch, with: {cases: {first: "{{run.partition == '2026-01-01'}}"}, default: o}}
    opened: {kind: ai.chat, after: [route.first], with: {prompt: "opened"}}
    told: {kind: ai.chat, with: {prompt: "{{run.partition_start}} to {{run.partition_end}}: {{fetch.output.text}}"}}
"""  # noqa: E501
DAILY = agent(
    "digest",
    NODES,
    more="partitions: {daily: {start: '2026-01-01', end: '2026-02-01', timezone: Europe/Berlin}}\n"
    "  triggers: {nightly: {schedule: {cron: '0 2 * * *', timezone: Europe/Berlin}},"
    " days: {webhook: {path: /d}, partition: '{{event.body.day}}'}}",
)
SHOPS = agent(
    "shops",
    '    a: {kind: ai.chat, with: {prompt: "{{run.partition}}"}}\n',
    more="partitions: {dynamic: shop}\n"
    "  triggers: {sales: {webhook: {path: /s}, partition: '{{event.body.shop}}'}}",
)
BOTH = agent(
    "both",
    '    a: {kind: ai.chat, with: {prompt: "{{run.partition_keys.shop}} on'
    ' {{run.partition_keys.day}} from {{run.partition_start}}"}}\n',
    more="partitions: {multi: {shop: {static: [east, west]},"
    " day: {daily: {start: '2026-01-01', end: '2026-01-04'}}}}\n"
    "  triggers: {nightly: {schedule: {cron: '0 2 * * *'}},"
    " sales: {webhook: {path: /b}, partition: {shop: '{{event.body.shop}}', day: '2026-01-02'}}}",
)

CUT = {"daily": {"start": "2026-01-01", "end": "2026-01-04"}}
CALENDAR = agent(
    "calendar",
    '    a: {kind: ai.chat, with: {prompt: "{{input.partition_key}} from'
    ' {{input.partition_start}}, {{input.limit}}"}}\n',
    inputs="{partition_key: {type: string, default: ''},"
    " partition_start: {type: string, default: ''}, limit: {type: integer, default: 3}}",
    more="partitions: {daily: {start: '2026-01-01', end: '2026-01-04'}}",
)


def run_of(bench: Bench, agent_: str, key: str, **options: Any) -> Ran:
    """A run of one partition, of the whole agent or of some of its nodes."""
    cut = bench.compiled[agent_].plan.agent.spec.partitions
    assert cut is not None
    tags = dict(partitions.asked(cut, key).tags)
    nodes = options.pop("nodes", ())
    if nodes:
        return bench.partial(agent_, *nodes, tags=tags, **options)
    return bench.run(agent_, tags=tags)


def test_a_backfill_through_the_job(bench: Bench) -> None:
    """Dagster's daemon makes the runs of a job backfill of the job's partition set, each with the
    tags of its key; every one succeeds, though each skips what it does not take."""
    bench.serve(DAILY)
    job = bench.repository.get_job("digest_job")
    assert job.partitions_def is not None
    keys = list(job.partitions_def.get_partition_keys())
    assert (len(keys), keys[0], keys[-1]) == (31, "2026-01-01", "2026-01-31")
    tags = {key: dict(job.get_tags_for_partition_key(key, None)) for key in keys[:3]}
    config = job.get_run_config_for_partition_key(keys[0])
    ran = [bench.launch("digest_job", config=config, tags=tags[key]) for key in keys[:3]]
    assert [r.status for r in ran] == ["SUCCESS"] * 3
    first, second, _ = ran
    assert first.values["told"].value == {
        "text": "re: 2026-01-01T00:00:00+01:00 to 2026-01-02T00:00:00+01:00: re: of 2026-01-01"
    }
    assert ("opened" in first.succeeded, "opened" in second.skipped) == (True, True)
    made = {e.asset_materialization.partition for e in first.events if e.asset_materialization}
    assert made == {"2026-01-01"}


def test_a_run_of_no_partition_says_so(bench: Bench) -> None:
    bench.serve(DAILY)
    ran = bench.run("digest")
    assert ran.status == "FAILURE"
    assert "of no single partition" in ran.failure("fetch").user_failure_data.description


def test_a_schedule_is_for_the_last_day_that_is_over(bench: Bench) -> None:
    bench.serve(DAILY)
    at = datetime(2026, 1, 7, 1, tzinfo=UTC)  # 02:00 in Berlin
    (request,) = tick(bench, "digest", at)
    assert request.tags["dagster/partition"] == request.partition_key == "2026-01-06"
    assert request.tags["agentflow/trigger"] == "nightly"
    assert tick(bench, "digest", datetime(2026, 1, 1, 1, tzinfo=UTC)) == []
    (same,) = tick(bench, "digest", at)
    (next_,) = tick(bench, "digest", datetime(2026, 1, 8, 1, tzinfo=UTC))
    assert same.run_key == request.run_key != next_.run_key


def test_an_event_says_its_partition(bench: Bench) -> None:
    bench.serve(DAILY)
    call(bench, "digest", "days", {"day": "2026-01-05"})
    call(bench, "digest", "days", {"day": "2027-01-05"})
    call(bench, "digest", "days", {"day": 5})
    (request,) = sense(bench, "digest")
    assert request.partition_key == "2026-01-05"
    ran = bench.launch("digest_job", config=request.run_config, tags=request.tags)
    assert ran.values["fetch"].value == {"text": "re: of 2026-01-05"}
    states = [bench.stores.inbox.get(n) for n in (1, 2, 3)]
    assert [s.state for s in states if s] == ["pending", "rejected", "rejected"]


def test_a_dynamic_key_is_added(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.serve(SHOPS)
    for shop in ("east", "west", "east"):
        call(bench, "shops", "sales", {"shop": shop})
    keys = [request.partition_key for request in sense(bench, "shops")]
    assert keys == ["east", "west", "east"]
    assert set(bench.instance.get_dynamic_partitions("shop")) == {"east", "west"}
    monkeypatch.setattr(partitions, "MAX_DYNAMIC_KEYS", 2)
    for shop in ("east", "north", "a|b", ""):
        call(bench, "shops", "sales", {"shop": shop})
    assert [request.partition_key for request in sense(bench, "shops")] == ["east"]
    assert set(bench.instance.get_dynamic_partitions("shop")) == {"east", "west"}
    ran = run_of(bench, "shops", "west")
    assert ran.values["a"].value == {"text": "re: west"}


def test_two_dimensions(bench: Bench) -> None:
    bench.serve(BOTH)
    ran = run_of(bench, "both", "shop=east,day=2026-01-03")
    assert ran.values["a"].value == {
        "text": "re: east on 2026-01-03 from 2026-01-03T00:00:00+00:00"
    }
    assert ran.tags["dagster/partition"] == "2026-01-03|east"
    requests = tick(bench, "both", datetime(2026, 1, 3, 2, tzinfo=UTC))
    assert [r.partition_key for r in requests] == ["2026-01-02|east", "2026-01-02|west"]
    call(bench, "both", "sales", {"shop": "west"})
    (request,) = sense(bench, "both")
    assert request.tags["dagster/partition/shop"] == "west"
    ran = bench.launch("both_job", config=request.run_config, tags=request.tags)
    assert "west on 2026-01-02" in str(ran.values["a"].value)


def test_a_partial_run_stays_within_its_partition(bench: Bench) -> None:
    bench.serve(DAILY)
    older = run_of(bench, "digest", "2026-01-02")
    newer = run_of(bench, "digest", "2026-01-03")
    ran = run_of(bench, "digest", "2026-01-02", nodes=["told"])
    assert ran.status == "SUCCESS"
    assert ran.tags["agentflow/source_run"] == older.run_id
    assert "of 2026-01-02" in str(ran.values["told"].value)
    none = run_of(bench, "digest", "2026-01-04", nodes=["told"])
    assert none.status == "FAILURE"
    named: JsonObject = {"source_run": newer.run_id}
    other = run_of(bench, "digest", "2026-01-02", nodes=["told"], config=named)
    assert "is of partition '2026-01-03'" in other.failure("told").user_failure_data.description


@pytest.mark.parametrize(
    ("cut", "given", "said"),
    [
        ({"daily": {"start": "2026-01-01"}}, "yesterday", "no partition 'yesterday'"),
        ({"daily": {"start": "2026-01-01", "end": "2026-01-03"}}, "2026-01-03", "to 2026-01-02"),
        ({"hourly": {"start": "2026-01-01"}}, "2026-01-01", "2026-01-01-00:00"),
        ({"weekly": {"start": "2026-01-01"}}, "2026-01-01", "2026-01-04"),
        ({"monthly": {"start": "2026-01-01"}}, "2026-01-02", "2026-01-01"),
        ({"static": ["a", "b"]}, "c", "from a to b"),
        ({"dynamic": "x"}, "a\nb", "cannot be a key"),
        ({"multi": {"a": {"static": ["1"]}, "b": {"dynamic": "x"}}}, "1", "a=KEY,b=KEY"),
        ({"multi": {"a": {"static": ["1"]}, "b": {"dynamic": "x"}}}, "b=1,a=2", "of 'a'"),
    ],
)
def test_a_key_that_there_is_not(cut: JsonObject, given: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        partitions.asked(Partitions.model_validate(cut, strict=False), given)


def tick(bench: Bench, name: str, at: datetime) -> list[RunRequest]:
    schedule = bench.repository.get_schedule_def(names.schedule_name(name, "nightly"))
    context = build_schedule_context(
        bench.instance,
        scheduled_execution_time=at,
        resources=bench.resources,
        repository_def=bench.repository,
    )
    return list(schedule.evaluate_tick(context).run_requests or [])


def sense(bench: Bench, name: str) -> list[RunRequest]:
    sensor = bench.repository.get_sensor_def(names.sensor_name(name))
    with build_sensor_context(
        bench.instance,
        instance_ref=bench.instance.get_ref(),
        resources=bench.resources,
        repository_def=bench.repository,
    ) as context:
        return list(sensor.evaluate_tick(context).run_requests or [])


def call(bench: Bench, name: str, trigger: str, body: JsonObject) -> None:
    bench.stores.inbox.add(name, trigger, {"body": body, "headers": {}, "query": {}})


def test_inputs_named_after_the_partition_have_it(bench: Bench) -> None:
    bench.serve(CALENDAR)
    job = bench.repository.get_job("calendar_job")
    key = "2026-01-02"
    config = job.get_run_config_for_partition_key(key)
    tags = dict(job.get_tags_for_partition_key(key, None))
    ran = bench.launch("calendar_job", config=config, tags=tags)
    assert ran.values["a"].value == {"text": "re: 2026-01-02 from 2026-01-02T00:00:00+00:00, 3"}
    tags = dict(partitions.asked(Partitions.model_validate(CUT), key).tags)
    said = bench.run("calendar", {"partition_key": "mine"}, tags=tags)
    assert said.values["a"].value == {"text": "re: mine from 2026-01-02T00:00:00+00:00, 3"}
