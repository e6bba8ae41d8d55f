"""Partitions in the document: what is wrong with them, and what `run` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.spec.parse import parse_agent
from tests.support.documents import minimal, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

DAILY: JsonObject = {"daily": {"start": "2026-01-01"}}
BOTH: JsonObject = {"multi": {"day": DAILY, "shop": {"static": ["east", "west"]}}}
HOOK: JsonObject = {"webhook": {"path": "/x"}}
CRON: JsonObject = {"schedule": {"cron": "0 9 * * *"}}


def document(partitions: Any, *, prompt: str = "hi", **spec: Any) -> JsonObject:
    node: JsonObject = {"kind": "ai.chat", "with": {"prompt": prompt}}
    cut = {"partitions": partitions} if partitions is not None else {}
    return minimal({"a": node}, **cut, **spec)


def codes(document: JsonObject) -> list[str]:
    return [d.code for d in problems(document) if d.code < "AF5"]


@pytest.mark.parametrize(
    ("partitions", "code", "place"),
    [
        ({"daily": {"start": "2026-02-30"}}, "AF420", "daily/start"),
        ({"monthly": {"start": "2026-01-01T06:00"}}, "AF420", "monthly/start"),
        ({"daily": {"start": "2026-02-01", "end": "2026-02-01"}}, "AF420", "daily/end"),
        ({"daily": {"start": "2026-02-01", "timezone": "Europe/Berln"}}, "AF402", "daily/timezone"),
        ({"static": ["a", "b", "a"]}, "AF421", "static"),
        ({"static": ["a...b"]}, "AF421", "static"),
        ({"multi": {"a": DAILY}}, "AF422", "multi"),
        ({"multi": {"a": {"dynamic": "a"}, "b": {"dynamic": "b"}, "c": DAILY}}, "AF422", "multi"),
        ({"multi": {"a": DAILY, "b": {"monthly": {"start": "2026-01-01"}}}}, "AF422", "multi"),
        ({"multi": {"a": {"static": ["x", "x"]}, "b": DAILY}}, "AF421", "multi/a/static"),
        ({"hourly": {"start": "2000-01-01", "end": "2020-01-01"}}, "AF423", ""),
        ({"hourly": {"start": "2000-01-01"}}, "AF424", ""),
    ],
)
def test_what_is_wrong(partitions: Any, code: str, place: str) -> None:
    (found,) = [d for d in problems(document(partitions)) if d.code < "AF5"]
    assert found.code == code
    assert found.pointer == f"/spec/partitions/{place}".rstrip("/")
    assert found.severity == ("warning" if code == "AF424" else "error")


@pytest.mark.parametrize(
    "partitions",
    [
        {},
        {**DAILY, "static": ["a"]},
        {"static": []},
        {"static": ["a|b"]},
        {"static": ["a\nb"]},
        {"daily": {"start": "1.1.2026"}},
        {"daily": {}},
        {"multi": {"a": {"multi": {}}}},
        {"yearly": {"start": "2026-01-01"}},
    ],
)
def test_forms_that_are_none(partitions: Any) -> None:
    assert isinstance(parse_agent(document(partitions)), tuple)


@pytest.mark.parametrize(
    ("partitions", "prompt", "code"),
    [
        (DAILY, "{{run.partition + run.partition_start + run.partition_end}}", None),
        (BOTH, "{{run.partition_keys.shop + run.partition_start}}", None),
        (BOTH, "{{run.partition_keys.shp}}", "AF203"),
        (DAILY, "{{run.partition_keys.day}}", "AF203"),
        ({"static": ["a"]}, "{{run.partition}}", None),
        ({"static": ["a"]}, "{{run.partition_start}}", "AF203"),
        ({"dynamic": "x"}, "{{run.partition + 1}}", "AF204"),
        (None, "{{run.partition}}", "AF203"),
    ],
)
def test_what_run_shows(partitions: Any, prompt: str, code: str | None) -> None:
    assert codes(document(partitions, prompt=prompt)) == ([code] if code else [])


@pytest.mark.parametrize(
    ("partitions", "trigger", "code"),
    [
        (DAILY, {**HOOK, "partition": "{{event.body.day}}"}, None),
        (DAILY, HOOK, "AF426"),
        (DAILY, CRON, None),
        (DAILY, {"manual": {}}, None),
        (DAILY, {"file": {"path": "*.csv"}}, "AF426"),
        ({"static": ["a"]}, CRON, None),
        ({"dynamic": "x"}, CRON, "AF426"),
        (BOTH, CRON, None),
        ({"multi": {"day": DAILY, "shop": {"dynamic": "x"}}}, CRON, "AF426"),
        (BOTH, {**HOOK, "partition": {"day": "2026-01-01", "shop": "{{event.body.s}}"}}, None),
        (BOTH, {**HOOK, "partition": {"day": "2026-01-01"}}, "AF426"),
        (BOTH, {**HOOK, "partition": "x"}, "AF426"),
        (DAILY, {**HOOK, "partition": {"day": "x"}}, "AF426"),
        (DAILY, {**HOOK, "partition": "{{event.day}}"}, "AF203"),
        (DAILY, {**HOOK, "partition": "{{event.headers.size()}}"}, "AF206"),
        (None, {**HOOK, "partition": "x"}, "AF427"),
    ],
)
def test_triggers_say_the_partition(partitions: Any, trigger: Any, code: str | None) -> None:
    assert codes(document(partitions, triggers={"t": trigger})) == ([code] if code else [])


def test_a_backfill_gives_no_input() -> None:
    required: JsonObject = {
        "type": "object",
        "required": ["a", "b"],
        "properties": {"a": {"type": "string"}, "b": {"type": "string", "default": ""}},
    }
    (found,) = [d for d in problems(document(DAILY, inputs=required)) if d.severity == "error"]
    assert (found.code, found.pointer) == ("AF425", "/spec/inputs")
    assert "'a'" in found.message
