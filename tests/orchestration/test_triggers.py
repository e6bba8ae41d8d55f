"""Schedules and inbox sensors, evaluated as Dagster's daemon evaluates them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    DefaultScheduleStatus,
    DefaultSensorStatus,
    build_schedule_context,
    build_sensor_context,
    validate_run_config,
)
from dagster._utils.schedules import schedule_execution_time_iterator

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration import names
from tests.orchestration.claims import end_claims

if TYPE_CHECKING:
    from dagster import RunRequest
    from dagster._core.definitions.sensor_definition import SensorExecutionData

    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench, Ran

DESK = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: help-desk, labels: {team: support}}
spec:
  inputs:
    type: object
    required: [body]
    properties:
      body: {type: string, maxLength: 20}
      more: {}
      count: {type: integer}
  env: [DESK]
  triggers:
    tickets:
      webhook: {path: /tickets}
      input: {body: "{{event.body.text}}", more: "{{event.body}}"}
    counted:
      webhook: {path: /counted}
      input: {body: "b", count: "{{event.body.count}}"}
    mornings:
      schedule: {cron: "30 9 * * 1-5", timezone: Europe/Berlin}
      input: {body: "{{event.scheduled_at.substring(0, 16)}}"}
    nights:
      schedule: {cron: "0 1 * * *"}
      input: {body: "{{env.DESK}}"}
    by_hand: {manual: {}, input: {body: hello}}
  nodes:
    answer: {kind: ai.chat, with: {prompt: "{{input.body}}"}}
"""
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.serve(DESK)
    bench.secrets.variables["DESK"] = "desk 4"
    return bench


def tick(bench: Bench, name: str, at: datetime) -> RunRequest:
    schedule = bench.repository.get_schedule_def(names.schedule_name("help-desk", name))
    context = build_schedule_context(
        bench.instance,
        scheduled_execution_time=at,
        resources=bench.resources,
        repository_def=bench.repository,
    )
    (request,) = schedule.evaluate_tick(context).run_requests or []
    return request


def sense(bench: Bench, agent: str = "help-desk") -> SensorExecutionData:
    sensor = bench.repository.get_sensor_def(names.sensor_name(agent))
    with build_sensor_context(
        bench.instance, resources=bench.resources, repository_def=bench.repository
    ) as context:
        return sensor.evaluate_tick(context)


def start(bench: Bench, request: RunRequest) -> Ran:
    """What Dagster's daemon does with a run request, the run included."""
    config: Any = request.run_config
    tags = {**request.tags, "dagster/run_key": str(request.run_key)}
    return bench.launch("help_desk_job", config=config, tags=tags)


def call(bench: Bench, body: Any, trigger: str = "tickets") -> int:
    event: JsonObject = {"body": body, "headers": {}, "query": {}}
    return bench.stores.inbox.add("help-desk", trigger, event)[0].id


def state(bench: Bench, event_id: int) -> str:
    found = bench.stores.inbox.get(event_id)
    assert found is not None
    return found.state


def test_a_tick_gives_the_triggers_input(bench: Bench) -> None:
    at = datetime(2026, 7, 3, 9, 30, tzinfo=BERLIN)
    request = tick(bench, "mornings", at)
    assert request.run_config == {
        "ops": {"help_desk": {"config": {"input": {"body": "2026-07-03T09:30"}}}}
    }
    assert request.tags["agentflow/trigger"] == "mornings"
    assert request.run_key == "2026-07-03T09:30:00+02:00"
    assert start(bench, request).values["answer"].value == {"text": "re: 2026-07-03T09:30"}


def test_a_tick_may_read_the_environment(bench: Bench) -> None:
    request = tick(bench, "nights", datetime(2026, 7, 3, 1, tzinfo=UTC))
    assert request.run_config["ops"]["help_desk"]["config"]["input"] == {"body": "desk 4"}


def test_a_run_that_a_tick_started_says_so(bench: Bench) -> None:
    ran = start(bench, tick(bench, "nights", datetime(2026, 7, 3, 1, tzinfo=UTC)))
    assert ran.tags["agentflow/agent"] == "help-desk"
    assert ran.tags["agentflow/version"] == bench.compiled["help-desk"].version.hash
    assert ran.tags["agentflow/trigger"] == "nights"
    assert ran.tags["label/team"] == "support"


def test_a_tick_without_what_it_reads_fails_plainly(bench: Bench) -> None:
    bench.secrets.variables.clear()
    with pytest.raises(RunError, match="DESK"):
        tick(bench, "nights", datetime(2026, 7, 3, 1, tzinfo=UTC))


def test_a_schedule_keeps_its_time_zone(bench: Bench) -> None:
    schedule = bench.repository.get_schedule_def("help_desk__mornings")
    assert schedule.cron_schedule == "30 9 * * 1-5"
    assert schedule.execution_timezone == "Europe/Berlin"
    for month, hour in ((1, 8), (7, 7)):  # winter, summer
        after = datetime(2026, month, 5, tzinfo=UTC).timestamp()
        times = schedule_execution_time_iterator(
            after, schedule.cron_schedule, schedule.execution_timezone
        )
        assert next(times).astimezone(UTC).hour == hour


def test_triggers_are_on_only_where_the_agent_is_deployed(bench: Bench) -> None:
    for deployed in (True, False):
        bench.serve(DESK, deployed=deployed)
        schedules = bench.repository.schedule_defs
        assert {s.name for s in schedules} == {"help_desk__mornings", "help_desk__nights"}
        running = DefaultScheduleStatus.RUNNING if deployed else DefaultScheduleStatus.STOPPED
        assert {s.default_status for s in schedules} == {running}
        (sensor,) = bench.repository.sensor_defs
        assert sensor.default_status == (
            DefaultSensorStatus.RUNNING if deployed else DefaultSensorStatus.STOPPED
        )


def test_a_call_becomes_a_run(bench: Bench) -> None:
    event = call(bench, {"text": "it broke"})
    (request,) = sense(bench).run_requests or []
    assert request.run_key == f"inbox-{event}"
    ran = start(bench, request)
    assert ran.values["answer"].value == {"text": "re: it broke"}
    assert ran.tags["agentflow/trigger"] == "tickets"


def test_an_event_is_asked_for_until_its_run_exists(bench: Bench) -> None:
    event = call(bench, {"text": "a"})
    (request,) = sense(bench).run_requests or []
    assert not sense(bench).run_requests
    end_claims(bench)
    (again,) = sense(bench).run_requests or []
    assert again.run_key == request.run_key
    ran = start(bench, request)
    end_claims(bench)
    assert not sense(bench).run_requests
    found = bench.stores.inbox.get(event)
    assert found is not None
    assert (found.state, found.run_id) == ("started", ran.run_id)


def test_without_events_it_says_so(bench: Bench) -> None:
    told = sense(bench)
    assert not told.run_requests
    assert told.skip_message == "No webhook call is waiting."
    assert told.cursor is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "text"),
        ({"text": "much, much too long for it"}, "too long"),
        ({"text": 4}, "string"),
        ("no object at all", "text"),
    ],
)
def test_an_event_that_cannot_become_an_input_is_rejected(
    bench: Bench, body: Any, why: str
) -> None:
    before, poison, after = (call(bench, told) for told in ({"text": "a"}, body, {"text": "b"}))
    keys = [request.run_key for request in sense(bench).run_requests or []]
    assert keys == [f"inbox-{before}", f"inbox-{after}"]
    assert state(bench, poison) == "rejected"
    assert why in reason(bench, poison)


def test_an_event_of_a_trigger_that_is_gone_is_rejected(bench: Bench) -> None:
    event = call(bench, {"text": "a"}, trigger="gone")
    assert not sense(bench).run_requests
    assert "no trigger 'gone' any more" in reason(bench, event)


def test_even_an_event_that_breaks_our_own_code_does_not_stop_the_others(bench: Bench) -> None:
    deep: Any = None
    for _ in range(500):
        deep = [deep]
    poison = call(bench, {"text": "a", "deep": deep})
    event = call(bench, {"text": "b"})
    requests = sense(bench).run_requests or []
    assert f"inbox-{event}" in [request.run_key for request in requests]
    if len(requests) == 1:
        assert state(bench, poison) == "rejected"


@pytest.mark.parametrize(
    "body",
    [
        {"text": "nul \0"},
        {"text": "x", "a": [None, {"b": [None]}], "c": {"env": "HOME"}},
        {"text": "big", "n": 10**40, "x": 1e300},
        {"text": "ü ✉ 漢"},
    ],
)
def test_what_an_event_may_hold_goes_through_dagster(bench: Bench, body: Any) -> None:
    call(bench, body)
    (request,) = sense(bench).run_requests or []
    ran = start(bench, request)
    assert ran.status == "SUCCESS"
    stored = bench.stores.steps.get(ran.run_id, "$input")
    assert stored is not None
    assert stored.value == {"body": body["text"], "more": body}


def test_jsons_whole_numbers_are_integers(bench: Bench) -> None:
    call(bench, {"count": 3.0}, trigger="counted")
    (request,) = sense(bench).run_requests or []
    validate_run_config(bench.repository.get_job("help_desk_job"), dict(request.run_config))


def test_more_events_than_one_tick_takes(bench: Bench) -> None:
    events = [call(bench, {"text": str(n)}) for n in range(130)]
    seen: list[str] = []
    for _ in range(2):
        requests = sense(bench).run_requests or []
        seen += [str(request.run_key) for request in requests]
        bench.pretend_started("help_desk_job", requests)
    end_claims(bench)
    while bench.stores.inbox.pending("help-desk"):
        assert not sense(bench).run_requests
    assert seen == [f"inbox-{event}" for event in events]
    assert not sense(bench).run_requests
    assert {state(bench, event) for event in events} == {"started"}


def test_poison_without_end_does_not_hold_up_the_rest(bench: Bench) -> None:
    for _ in range(120):
        call(bench, {})
    event = call(bench, {"text": "a"})
    assert not sense(bench).run_requests
    (request,) = sense(bench).run_requests or []
    assert request.run_key == f"inbox-{event}"


def test_another_agents_events_are_left_to_it(bench: Bench) -> None:
    bench.serve(DESK.replace("help-desk", "other-desk"))
    call(bench, {"text": "a"})
    assert not sense(bench, "other-desk").run_requests
    assert len(sense(bench).run_requests or []) == 1


def test_an_agent_without_webhooks_has_no_sensor(bench: Bench) -> None:
    nodes = DESK[DESK.index("  nodes:") :]
    document = f"""
apiVersion: agentflow.io/v1
kind: Agent
metadata: {{name: quiet}}
spec:
  inputs: {{type: object, required: [body], properties: {{body: {{type: string}}}}}}
{nodes}"""
    bench.serve(document)
    assert {s.name for s in bench.repository.sensor_defs} == {"help_desk__events"}


def test_a_schedule_may_be_called_events(bench: Bench) -> None:
    bench.serve(DESK.replace("nights:", "events:"))
    assert bench.repository.has_schedule_def("help_desk___events")
    assert len(list(bench.repository.sensor_defs)) == 1


def reason(bench: Bench, event_id: int) -> str:
    import sqlalchemy as sa

    from agentflow_dagster.stores.tables import inbox

    engine = sa.create_engine(bench.database_url)
    with engine.connect() as connection:
        found = connection.scalar(sa.select(inbox.c.reason).where(inbox.c.id == event_id))
    engine.dispose()
    return str(found)
