"""Triggers: their schedules, paths and inputs, and what an event becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph.events import event_input
from tests.support.documents import agent, changed, codes, minimal, sample
from tests.support.slips import Slip, is_told

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

CHAT: JsonObject = {"kind": "ai.chat", "with": {"prompt": "hi"}}
INPUTS: JsonObject = {
    "type": "object",
    "required": ["body"],
    "properties": {"body": {"type": "string"}, "count": {"type": "integer", "default": 1}},
}


@pytest.mark.parametrize(
    "slip",
    [
        Slip(
            "0 9 * * 1-5",
            "0 9 * * 1-5 7",
            "AF401",
            "/spec/triggers/weekdays/schedule/cron",
            "cron:",
            "is not a cron line",
            "Five fields",
        ),
        Slip(
            "0 9 * * 1-5",
            "@daily",
            "AF401",
            "/spec/triggers/weekdays/schedule/cron",
            "cron:",
            "is not a cron line",
            "Five fields",
        ),
        Slip(
            "0 9 * * 1-5",
            "0 0 31 2 *",
            "AF401",
            "/spec/triggers/weekdays/schedule/cron",
            "cron:",
            "never comes",
            "its month has",
        ),
        Slip(
            "Europe/Berlin",
            "Europe/Berln",
            "AF402",
            "/spec/triggers/weekdays/schedule/timezone",
            "timezone:",
            "'Europe/Berln'",
            "Did you mean 'Europe/Berlin'?",
        ),
        Slip(
            "    weekdays:",
            "    more: {webhook: {path: /tickets}, input: {body: x}}\n    weekdays:",
            "AF403",
            "/spec/triggers/more/webhook/path",
            "path:",
            "already starts 'tickets'",
            "another path",
        ),
        Slip(
            'input: {body: "Daily summary"}',
            "input: {}",
            "AF404",
            "/spec/triggers/weekdays",
            "weekdays:",
            "'body' is required",
            "Add `input: {body: …}`",
        ),
        Slip(
            'body: "Daily summary"',
            'body: "Daily summary", bdy: x',
            "AF405",
            "/spec/triggers/weekdays/input/bdy",
            "bdy:",
            "no input 'bdy'",
            "Did you mean 'body'?",
        ),
        Slip(
            'body: "Daily summary"',
            "body: 5",
            "AF406",
            "/spec/triggers/weekdays/input/body",
            "body:",
            "5 is not of type 'string'",
            "spec.inputs",
        ),
        Slip(
            'body: "Daily summary"',
            'body: "{{1 + 1}}"',
            "AF206",
            "/spec/triggers/weekdays/input/body",
            "body:",
            "takes a string",
            "string(…)",
        ),
        Slip(
            'body: "Daily summary"',
            'body: "{{event.body}}"',
            "AF203",
            "/spec/triggers/weekdays/input/body",
            "body:",
            "no field 'body'",
            "scheduled_at",
        ),
        Slip(
            'body: "Daily summary"',
            'body: "{{env.HOME}}"',
            "AF502",
            "/spec/triggers/weekdays/input/body",
            "body:",
            "not declared",
            "Add HOME to spec.env.",
        ),
        Slip(
            'body: "Daily summary"',
            'body: "{{secret.TRACKER_TOKEN}}"',
            "AF202",
            "/spec/triggers/weekdays/input/body",
            "body:",
            "'secret'",
            "in nodes alone",
        ),
    ],
    ids=str,
)
def test_a_slip_is_told_with_its_place(slip: Slip) -> None:
    is_told(slip)


@pytest.mark.parametrize(
    "trigger",
    [
        {"manual": {}},
        {"manual": {}, "input": {"count": 2}},
        {"schedule": {"cron": "*/5 8-18 * * mon-fri"}, "input": {"body": "{{event.scheduled_at}}"}},
        {"webhook": {"path": "/a/b.c"}, "input": {"body": "{{event.body.any.thing}}"}},
        {"webhook": {"path": "/a"}, "input": {"body": "{{event.headers['x-a']}} {{event.method}}"}},
    ],
    ids=str,
)
def test_sound_triggers(trigger: JsonValue) -> None:
    assert codes(minimal({"a": CHAT}, inputs=INPUTS, triggers={"t": trigger})) == []


@pytest.mark.parametrize("zone", ["", "/etc/passwd", "../UTC", "Europe", "a\x00b", "Mars/Base"])
def test_no_time_zones(zone: str) -> None:
    trigger: JsonObject = {"schedule": {"cron": "0 9 * * *", "timezone": zone}}
    assert codes(minimal({"a": CHAT}, triggers={"t": trigger})) == ["AF402"]


EVENT: JsonObject = {
    "body": {"subject": "Crash", "text": "It broke."},
    "headers": {},
    "query": {},
    "method": "POST",
    "path": "/tickets",
}


def test_an_event_becomes_the_input() -> None:
    found = event_input(agent(sample()), "tickets", EVENT, {"TRACKER": "http://t"})
    assert found == {"subject": "Crash", "body": "It broke."}


def test_defaults_are_filled_in() -> None:
    found = event_input(agent(sample()), "weekdays", {"scheduled_at": "2024-05-01T09:00:00Z"}, {})
    assert found == {"subject": "", "body": "Daily summary"}


def test_only_declared_variables_are_seen() -> None:
    given = changed(sample(), "spec.triggers.weekdays.input.body", "{{env.TRACKER}}")
    environment = {"TRACKER": "http://t", "OTHER": "x"}
    assert event_input(agent(given), "weekdays", {}, environment)["body"] == "http://t"
    given = changed(sample(), "spec.triggers.weekdays.input.body", "{{env.OTHER}}")
    with pytest.raises(RunError, match="there is no 'OTHER'"):
        event_input(agent(given), "weekdays", {}, environment)


def test_one_expression_gives_the_whole_input() -> None:
    given = changed(sample(), "spec.triggers.tickets.input", "{{event.body}}")
    assert codes(given) == []
    event: JsonObject = {**EVENT, "body": {"body": "It crashes"}}
    found = event_input(agent(given), "tickets", event, {})
    assert found == {"subject": "", "body": "It crashes"}
    with pytest.raises(UsageError, match="must be an object, and"):
        event_input(agent(given), "tickets", {**EVENT, "body": "text"}, {})


def test_a_whole_input_is_checked() -> None:
    def found(told: str) -> list[str]:
        return codes(changed(sample(), "spec.triggers.tickets.input", told))

    assert found("{{event.bdy}}") == ["AF203"]
    assert found("{{event.path}}") == ["AF206"]
    assert found("all of it") == ["AF112"]


def test_an_event_that_does_not_fit() -> None:
    with pytest.raises(RunError, match="there is no 'text'"):
        event_input(agent(sample()), "tickets", {**EVENT, "body": {"subject": "x"}}, {})
    with pytest.raises(UsageError, match="subject: 1 is not of type 'string'"):
        event_input(agent(sample()), "tickets", {**EVENT, "body": {"subject": 1, "text": "x"}}, {})
    with pytest.raises(UsageError, match="no trigger 'gone' any more"):
        event_input(agent(sample()), "gone", EVENT, {})
