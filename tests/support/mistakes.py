"""For every code a text that produces it: a document, or a notebook written down as its cells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from agentflow_dagster.notebook.seen import MIME, Taken, to_bundle
from tests.support.documents import SAMPLE, minimal

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

BODY: JsonObject = {"type": "object", "properties": {"body": {"type": "string"}}}
ASK: JsonObject = {"kind": "ai.chat", "with": {"prompt": "{{input.body}}"}}
ROUTE: JsonObject = {
    "kind": "logic.switch",
    "with": {"cases": {"bug": "{{input.body == ''}}"}, "default": "other"},
}
TOKEN = "q7Zx9Kd2Lm4Np6Rs8Tv1Wy3Ab5Ce0Fg"


def spec(nodes: JsonObject, **more: JsonValue) -> str:
    """A document of these nodes and little else."""
    return json.dumps(minimal(nodes, **{"inputs": BODY, **more}), indent=1)


def ask(prompt: str, **more: JsonValue) -> str:
    """A document of one prompt."""
    return spec({"ask": {"kind": "ai.chat", "with": {"prompt": prompt}}}, **more)


def http(url: str, secrets: list[JsonValue] | None = None, **headers: JsonValue) -> str:
    """A document of one call."""
    call: JsonObject = {"kind": "tool.http", "with": {"url": url, "headers": headers}}
    return spec({"ask": ASK, "call": call}, secrets=secrets or [])


def loop(inside: JsonObject, **config: JsonValue) -> JsonObject:
    """A loop over two items."""
    return {"kind": "logic.loop", "with": {"over": [1, 2], "body": {"nodes": inside}, **config}}


def nested(depth: int) -> JsonObject:
    """Loops inside each other."""
    return loop({f"n{depth}": ASK if depth == 0 else nested(depth - 1)})


def cut(partitions: JsonObject, **more: JsonValue) -> str:
    """A document that is cut into partitions."""
    return spec({"ask": ASK}, partitions=partitions, **more)


def triggered(**trigger: JsonValue) -> str:
    """A document of one trigger; `body` is required."""
    return spec({"ask": ASK}, inputs={**BODY, "required": ["body"]}, triggers={"one": trigger})


def with_test(expect: JsonObject | None = None, **more: JsonValue) -> str:
    """A document with one test."""
    test: JsonObject = {"expect": [expect or {"status": "SUCCESS"}], **more}
    return spec({"ask": ASK}, tests={"one": test})


def polled(query: str, url: str = "{{secret.DB}}") -> str:
    """A document with a trigger that watches a database."""
    watch: JsonObject = {"url": url, "query": query, "mark": "at", "key": "id", "start": 0}
    trigger: JsonObject = {"database": watch, "input": {"body": "x"}}
    return spec({"ask": ASK}, secrets=["DB"], triggers={"one": trigger})


def flow(*agents: JsonObject) -> str:
    """A workflow of these agents."""
    document: JsonObject = {
        "apiVersion": "agentflow.io/v1",
        "kind": "Workflow",
        "metadata": {"name": "small"},
        "spec": {"agents": list(agents)},
    }
    return json.dumps(document, indent=1)


def image(name: str, reference: str = "agents/qa:v1", *after: str) -> JsonObject:
    """An agent of a workflow."""
    return {"name": name, "image": reference, **({"dependsOn": list(after)} if after else {})}


DAILY: JsonObject = {"cron": "0 9 * * *"}
NEVER_RUNS: JsonObject = {**ASK, "after": ["route.bug", "route.other"]}

DOCUMENTS: dict[str, str | bytes] = {
    "AF100": "#" * 5_000_001,
    "AF101": "- a list\n",
    "AF102": "prompt: Answer: yes\n",
    "AF103": "\n".join(
        [
            "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
            *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)),
        ]
    ),
    "AF104": "a: " + "[" * 90 + "]" * 90,
    "AF105": "text: {{input.body}}\n",
    "AF106": "a: &a {b: 1}\nc: {<<: *a}\n",
    "AF107": SAMPLE.replace("kind: Agent\n", "kind: Agent\nkind: Agent\n"),
    "AF108": "a: !python/object x\n",
    "AF109": "a: é".encode("latin-1"),
    "AF110": SAMPLE.replace("maxAttempts", "maxAttempt"),
    "AF111": SAMPLE.replace("apiVersion: agentflow.io/v1\n", ""),
    "AF112": SAMPLE.replace("maxAttempts: 3", 'maxAttempts: "3"'),
    "AF113": SAMPLE.replace("file_bug", "File-Bug"),
    "AF114": spec({"ask": ASK}, inputs={"type": "strng"}),
    "AF115": spec({"ask": ASK}, inputs={"type": "string"}),
    "AF116": spec({"ask": ASK}, inputs={"properties": {"n": {"type": "integer", "default": "1"}}}),
    "AF117": "a: .nan\n",
    "AF118": SAMPLE.replace("agentflow.io/v1", "agentflow.io/v2"),
    "AF119": SAMPLE.replace("timeout: 30s", "timeout: 30"),
    "AF120": spec(
        {"a": {"kind": "code.python", "with": {"code": "", "outputs": [], "memory": "512 MB"}}}
    ),
    "AF200": ask("{{input.body"),
    "AF201": ask("{{input.body +}}"),
    "AF202": ask("{{inptu.body}}"),
    "AF203": ask("{{input.bdy}}"),
    "AF204": ask("{{input.body + 1}}"),
    "AF205": ask("{{[1].map(x, [1].map(y, x + y))}}"),
    "AF206": ask("{{1 == 1}}"),
    "AF207": spec(
        {"ask": {**ASK, "when": "{{input.body != ''}}"}}, outputs={"a": "{{ask.output.text}}"}
    ),
    "AF208": spec({"ask": {**ASK, "when": "yes"}}),
    "AF209": spec(
        {"a": {"kind": "code.python", "with": {"code": "x = '{{input.body}}'", "outputs": ["x"]}}}
    ),
    "AF301": spec({"ask": {**ASK, "kind": "ai.caht"}}),
    "AF303": spec({"input": ASK}),
    "AF304": spec({"ask": {**ASK, "after": ["nobody"]}}),
    "AF305": spec({"route": ROUTE, "ask": {**ASK, "after": ["route"]}}),
    "AF306": spec({"route": ROUTE, "ask": {**ASK, "after": ["route.bgu"]}}),
    "AF307": spec(
        {"route": ROUTE, "a": {"kind": "ai.chat", "with": {"prompt": "{{route.output}}"}}}
    ),
    "AF308": ask("{{ask.output.text}}"),
    "AF310": spec({"a": {**ASK, "after": ["b"]}, "b": {**ASK, "after": ["a"]}}),
    "AF311": spec({"route": ROUTE, "ask": ASK}),
    "AF312": spec({"route": ROUTE, "ask": NEVER_RUNS}),
    "AF315": spec({"ask": ASK, "each": loop({"ask": ASK})}),
    "AF316": spec({"ask": ASK, "each": loop({"inner": ASK}, **{"as": "ask"})}),
    "AF317": spec({"each": nested(6)}),
    "AF314": spec({f"n{i}": ASK for i in range(5_001)}),
    "AF401": triggered(schedule={"cron": "0 99 * * *"}, input={"body": "x"}),
    "AF402": triggered(schedule={**DAILY, "timezone": "Europe/Berln"}, input={"body": "x"}),
    "AF403": spec(
        {"ask": ASK}, triggers={"a": {"webhook": {"path": "/x"}}, "b": {"webhook": {"path": "/x"}}}
    ),
    "AF404": triggered(schedule=DAILY),
    "AF405": triggered(schedule=DAILY, input={"body": "x", "bdy": "x"}),
    "AF406": triggered(schedule=DAILY, input={"body": 5}),
    "AF410": triggered(file={"path": "../x/*.csv"}, input={"body": "x"}),
    "AF411": triggered(file={"path": "in/**"}, input={"body": "x"}),
    "AF412": polled("DELETE FROM t WHERE at >= :since"),
    "AF413": polled("SELECT * FROM t"),
    "AF414": polled("SELECT * FROM t WHERE at > :since"),
    "AF415": polled("SELECT * FROM t WHERE at >= :since", "postgresql://host/db"),
    "AF416": triggered(event={"source": "http.jsn"}, input={"body": "x"}),
    "AF417": triggered(event={"source": "http.json"}, input={"body": "x"}),
    "AF420": cut({"daily": {"start": "2026-02-30"}}),
    "AF421": cut({"static": ["east", "west", "east"]}),
    "AF422": cut({"multi": {"shop": {"static": ["a"]}}}),
    "AF423": cut({"hourly": {"start": "2000-01-01", "end": "2020-01-01"}}),
    "AF424": cut({"hourly": {"start": "2000-01-01"}}),
    "AF425": cut({"static": ["a"]}, inputs={**BODY, "required": ["body"]}),
    "AF426": cut({"static": ["a"]}, triggers={"one": {"webhook": {"path": "/one"}}}),
    "AF427": triggered(webhook={"path": "/one"}, input={"body": "x"}, partition="x"),
    "AF501": ask("{{secret.TOKEN}}"),
    "AF502": ask("{{env.HOST}}"),
    "AF503": http("https://x.example", authorization="Bearer sk-ant-" + "a1B2" * 8),
    "AF504": http("https://x.example", authorization=f"Bearer {TOKEN}"),
    "AF701": http("https://x.example"),
    "AF702": spec({"ask": ASK, "b": ASK}, outputs={"a": "{{ask.output.text}}"}),
    "AF703": spec({"ask": ASK}, secrets=["TOKEN"]),
    "AF704": spec({"ask": ASK}, env=["HOST"]),
    "AF705": ask("A poem."),
    "AF706": ask("A poem."),
    "AF707": ask("{{secret.TOKEN}}", secrets=["TOKEN"]),
    "AF709": spec({"each": loop({"draft": ASK})}),
    "AF708": http("http://x.example", ["TOKEN"], authorization="{{secret.TOKEN}}"),
    "AF801": flow(image("qa-check"), image("qa_check")),
    "AF802": flow(image("a"), image("b", "agents/qa:v1", "nobody")),
    "AF803": flow(image("a"), image("a")),
    "AF804": flow(image("a", "agents/qa:v1", "b"), image("b", "agents/qa:v1", "a")),
    "AF805": flow(image("a", "docker.io/qa")),
    "AF806": flow(image("a", "agents/nobody")),
    "AF807": flow(image("a", "agents/qa:v9")),
    "AF851": with_test(mocks={"asc": {"error": "no"}}),
    "AF852": with_test({"value": "ask.output.text", "regex": "T-(\\d+"}),
    "AF853": with_test({"value": "ask.output", "schema": {"type": "strng"}}),
    "AF854": with_test({"value": "ask.output", "jsonpath": "items[", "equals": 1}),
    "AF855": with_test(input={"bdy": "x"}),
    "AF856": with_test(mocks={"ask": {"output": {"text": 5}}}),
    "AF857": with_test(mocks={"ask": {"port": "bug"}}),
    "AF858": with_test(passRate=0.9),
    "AF859": with_test(cases={"file": "nowhere.csv"}),
    "AF904": spec({"wait": {"kind": "logic.delay", "with": {"for": "1s"}, "onUnknown": "fail"}}),
    "AF911": spec({"ask": {**ASK, "resources": {"cpu": "200m"}}}),
    "AF912": spec({"ask": {**ASK, "limits": {"fileOperations": 100}}}),
    "AF913": spec(
        {"ask": ASK},
        llmRouting={
            "fallbacks": [
                {"provider": "openai", "model": "gpt-4o", "conditions": [{"complexity": "huge"}]}
            ]
        },
    ),
}
"""Files `.agent.yaml`, by the code that each produces."""


def seen(*sources: str, by: int, made: str = "", changed: str = "") -> str:
    """A notebook of which a cell was seen to take from the last one what is told."""
    taken = Taken(sources[-1], frozenset(made.split()), frozenset(changed.split()))
    outputs = {by: [{"data": {MIME: to_bundle(sources[by], [taken])}}]}
    cells: list[JsonValue] = [
        {"cell_type": "code", "source": source, "outputs": cast("JsonValue", outputs.get(at, []))}
        for at, source in enumerate(sources)
    ]
    return json.dumps({"nbformat": 4, "cells": cells})


NOTEBOOKS: dict[str, str] = {
    "AF601": "",
    "AF602": " " * 5_000_001,
    "AF603": "---\n%%node\nx = 1",
    "AF604": "---node:a\nx = 1\n---node:a\ny = 1",
    "AF605": "---node:a\n%time x = 1",
    "AF606": "---node:a\nx = ",
    "AF607": "---node:a\nawait x",
    "AF608": "---parameters\nimport x\n---node:a\ny = 1",
    "AF609": "---parameters\nx = f()\n---node:a\ny = 1",
    "AF610": "---parameters\nx: int = ''\n---node:a\ny = 1",
    "AF611": "---parameters\nx = 1\n---parameters\ny = 1\n---node:a\nz = x",
    "AF612": "---node:a\nx = y",
    "AF613": "---\ny = 1\n---node:a\nx = y",
    "AF614": "---node:a\nx = 1\n---node:b\nx = 1",
    "AF615": "---node:a\ndef f(): pass\n---node:b\ny = f()",
    "AF616": "---node:a\nx = []\n---node:b\nx.append(1)\n---node:c\ny = x",
    "AF617": "---node:a\nfrom math import *",
    "AF618": "---node:a\nx = eval('1')",
    "AF619": "---setup\ndef f(): return x\n---node:a\nx = 1",
    "AF620": "---node:a\ntrue = 1\n---node:b\ny = true",
    "AF621": "---node:a\ndisplay(1)",
    "AF622": "---node:a\nx = 1\n---node:b\nif 1: x = 1\ny = x",
    "AF623": "---node:a\nx = 1\n---\nx = 2\n---node:b\ny = x",
    "AF624": "---\nx = 1",
    "AF625": "---agentflow\nx = 1\n---node:a\nx = 1",
    "AF626": "---setup test\nx = 1\n---node:a\ny = 1",
    "AF627": "---\n%%node a --kind ai.chat\n~~~\nsystem: Be brief.",
    "AF636": "---node:a\nx = 1\n---test\nassert x == max(1, 0)",
    "AF637": "---node:a\nx = 1\n---test\n# One\nassert x == 1\n---test\n# One\nassert x > 0",
    "AF635": "---node:a\nx = open('f')\n---node:b\ny = x.read()",
    "AF629": seen("%%node a\nx = 1", "%%node b\ny = x", "x = 2", by=1, made="x"),
    "AF630": seen("%%node a\nx = []", "%%node b\ny = x", "print(1)", by=1, changed="x"),
}
"""Cells of notebooks, by the code that each produces; what begins no cell stands as it is."""
