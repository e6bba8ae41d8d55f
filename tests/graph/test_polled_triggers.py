"""File, database and connector triggers: what is wrong with them, and what their events hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.graph.check import check_agent
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.sources import builtin_sources
from agentflow_dagster.spec.globs import base_of, matches
from tests.support.documents import agent, codes, minimal

if TYPE_CHECKING:
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.values import JsonObject

CHAT: JsonObject = {"kind": "ai.chat", "with": {"prompt": "hi"}}
DATABASE: JsonObject = {
    "url": "{{secret.URL}}",
    "query": "SELECT id, at FROM t WHERE at >= :since",
    "mark": "at",
    "key": "id",
    "start": 0,
}
HTTP: JsonObject = {"source": "http.json", "config": {"url": "https://example.com"}}


def document(trigger: JsonObject, body: str = "{{string(event.size)}}") -> JsonObject:
    return minimal(
        {"a": CHAT},
        inputs={"type": "object", "properties": {"body": {"type": "string"}}},
        secrets=["URL"],
        triggers={"t": {**trigger, "input": {"body": body}}},
    )


def told(trigger: JsonObject, body: str = "b") -> list[Diagnostic]:
    found = check_agent(agent(document(trigger, body)), builtin_kinds(), sources=builtin_sources())
    return [d for d in found.diagnostics if d.severity == "error"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/etc/passwd", "AF410"),
        ("../x/*.csv", "AF410"),
        ("in/../../x", "AF410"),
        ("~/x", "AF410"),
        ("C:/x", "AF410"),
        ("in\\*.csv", "AF410"),
        ("in//x.csv", "AF411"),
        ("in/", "AF411"),
        ("in/**", "AF411"),
        ("in/a**b/x", "AF411"),
        ("in/[ab", "AF411"),
        ("./in/x", "AF411"),
    ],
)
def test_paths(path: str, code: str) -> None:
    (found,) = told({"file": {"path": path}})
    assert (found.code, found.pointer) == (code, "/spec/triggers/t/file/path")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("DELETE FROM t WHERE at >= :since", "AF412"),
        ("SELECT 1 WHERE 1 >= :since; DROP TABLE t", "AF412"),
        ("-- SELECT\nUPDATE t SET at = :since", "AF412"),
        ("SELECT * FROM t", "AF413"),
        ("SELECT * FROM t WHERE at >= ':since'", "AF413"),
        ("SELECT at::since FROM t", "AF413"),
        ("SELECT * FROM t WHERE at > :since", "AF414"),
        ("SELECT * FROM t WHERE :since < at", "AF414"),
        ("SELECT * FROM t WHERE at >= :since limit 5", "AF414"),
    ],
)
def test_queries(query: str, code: str) -> None:
    (found,) = told({"database": {**DATABASE, "query": query}})
    assert (found.code, found.pointer) == (code, "/spec/triggers/t/database/query")


@pytest.mark.parametrize(
    "query",
    [
        "WITH x AS (SELECT * FROM t) SELECT * FROM x WHERE :since <= at;",
        "/* > :since */ select ';', at from t where at >= :since -- limit",
    ],
)
def test_queries_that_will_do(query: str) -> None:
    assert told({"database": {**DATABASE, "query": query}}) == []


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://h/x", "AF415"),
        ("sqlite:///{{secret.URL}}", "AF415"),
        ("{{secret.OTHER}}", "AF501"),
        ("{{env.OTHER}}", "AF502"),
        ("{{input.x}}", "AF202"),
        ("{{secret.URL == ''}}", "AF206"),
    ],
)
def test_urls(url: str, code: str) -> None:
    (found,) = told({"database": {**DATABASE, "url": url}})
    assert (found.code, found.pointer) == (code, "/spec/triggers/t/database/url")


@pytest.mark.parametrize(
    ("event", "code", "place", "said"),
    [
        ({"source": "http.jsn"}, "AF416", "source", "Did you mean 'http.json'?"),
        ({**HTTP, "config": {}}, "AF417", "config", "Add `url:` here."),
        ({**HTTP, "config": {"url": "ftp://x"}}, "AF417", "config/url", ""),
        (
            {**HTTP, "config": {"url": "https://x", "hedaers": {}}},
            "AF417",
            "config/hedaers",
            "'head",
        ),
        ({**HTTP, "config": {"url": "{{secret.X}}"}}, "AF501", "config/url", ""),
    ],
)
def test_sources(event: Any, code: str, place: str, said: str) -> None:
    (found,) = told({"event": event})
    assert (found.code, found.pointer) == (code, f"/spec/triggers/t/event/{place}")
    assert said in found.hint


def test_an_expression_in_a_sources_config_is_judged_when_it_is_asked() -> None:
    config: JsonObject = {"url": "{{secret.URL}}", "headers": {"a": "Bearer {{secret.URL}}"}}
    assert told({"event": {"source": "http.json", "config": config}}) == []


def test_without_the_connectors_sources_are_not_judged() -> None:
    assert codes(document({"event": {"source": "gone"}}, "{{event.anything}}")) == []


@pytest.mark.parametrize(
    ("trigger", "body", "code"),
    [
        ({"file": {"path": "a", "read": "text"}}, "{{event.path + event.text}}", None),
        ({"file": {"path": "a", "read": "rows"}}, "{{string(event.rows.size())}}", None),
        ({"file": {"path": "a", "read": "rows"}}, "{{event.rows[0].name}}", None),
        ({"file": {"path": "a", "read": "json"}}, "{{event.json.any.thing}}", None),
        ({"file": {"path": "a", "read": "none"}}, "{{event.text}}", "AF203"),
        ({"file": {"path": "a"}}, "{{event.rows}}", "AF203"),
        ({"file": {"path": "a"}}, "{{event.size}}", "AF206"),
        ({"database": DATABASE}, "{{event.row.anything}}", None),
        ({"database": DATABASE}, "{{event.rows}}", "AF203"),
        ({"event": HTTP}, "{{event.item.title}}", None),
        ({"event": HTTP}, "{{event.items}}", "AF203"),
    ],
)
def test_what_events_hold(trigger: JsonObject, body: str, code: str | None) -> None:
    assert [d.code for d in told(trigger, body)] == ([code] if code else [])


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ({"file": {"path": "a"}, "manual": {}}, "exactly one of"),
        ({"file": {"path": "a", "settle": "2"}}, "duration"),
        ({"file": {"path": "a", "maxBytes": 0}}, "maxBytes"),
        ({"file": {"path": "a", "read": "csv"}}, "read"),
        ({"database": {**DATABASE, "key": "a b"}}, "not a valid name"),
        ({"database": {k: v for k, v in DATABASE.items() if k != "start"}}, "'start' is missing"),
    ],
)
def test_fields(trigger: Any, said: str) -> None:
    from agentflow_dagster.spec.parse import parse_agent

    parsed = parse_agent(document(trigger))
    assert isinstance(parsed, tuple)
    assert said in parsed[0].message


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("in/*.csv", ["in/a.csv"], ["a.csv", "in/x/a.csv", "in/.a.csv", "in/a.csvx", "in"]),
        ("**/*.csv", ["a.csv", "x/a.csv", "x/y/a.csv"], ["x/a.txt", ".x/a.csv"]),
        ("in/**/a.csv", ["in/a.csv", "in/x/y/a.csv"], ["a.csv", "in/b.csv"]),
        ("in/**/x/**/a", ["in/x/a", "in/1/x/2/3/a"], ["in/a", "in/x"]),
        ("in/[ab]?.csv", ["in/a1.csv"], ["in/c1.csv", "in/a.csv"]),
        ("in/.hidden", ["in/.hidden"], ["in/hidden"]),
        ("*a*a*a*a*a*a*a*a*a*b", ["aaaaaaaaab"], ["a" * 200]),
    ],
)
def test_globs(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in yes if not matches(path, pattern)] == []
    assert [path for path in no if matches(path, pattern)] == []


def test_the_folder_that_a_glob_begins_in() -> None:
    assert base_of("in/box/*.csv") == ("in", "box")
    assert base_of("**/a.csv") == ()
    assert base_of("in/a.csv") == ("in",)
