"""The engine lane records a run as Dagster's own executor does.

What may differ, and why:

- times, durations and process ids;
- PIPELINE_STARTING: whoever launches a run writes it, and nobody launches those of this bench;
- RESOURCE_INIT_STARTED, RESOURCE_INIT_SUCCESS: the engine's adapters are there before the run;
- LOGS_CAPTURED: the engine's runs share one process, whose output is none of theirs alone; what a
  step prints is in its log;
- steps that do not wait for each other run side by side, so that only the order of each step's own
  events is compared, and that of the run's own;
- the stack of an error, and in what it was raised: they are the executor's;
- which of several failures the run's end names first.
"""

from __future__ import annotations

import json
import re
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from agentflow_dagster.errors import ModelError
from tests.orchestration import lane, samples
from tests.orchestration.random_agents import agents, document, plots
from tests.orchestration.test_semantics import checks, script
from tests.support.properties import THOROUGH

if TYPE_CHECKING:
    from dagster import EventLogEntry

    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench, Ran

NOT_OF_BOTH = {
    *("PIPELINE_STARTING", "RESOURCE_INIT_STARTED", "RESOURCE_INIT_SUCCESS", "LOGS_CAPTURED")
}
_TIMES = re.compile(r"(in |pid: )[\d.]+(ms|s|m|h)?|(\d+m)?[\d.]+ms")
_FREE = {"timestamp", "pid", "duration_ms", "stack", "run_id", "latency_ms", "context"}
_numbers = count()


def told(ran: Ran) -> dict[str, list[Any]]:
    """The run's own events, and those of each step, without what may differ."""
    pointers = {str(number): f"event of {key}" for number, key in made(ran).items()}
    found: dict[str, list[Any]] = {}
    for entry in ran.events:
        event = entry.dagster_event
        if event is None or event.event_type_value not in NOT_OF_BOTH:
            found.setdefault(entry.step_key or "", []).append(
                plain(entry, pointers, several=len(ran.failed) > 1)
            )
    return found


def made(ran: Ran) -> dict[int, str]:
    """The asset that each materialization of the run made, by the event's id."""
    return {
        storage_id: str(entry.asset_materialization.asset_key)
        for storage_id, entry in zip(ran.ids, ran.events, strict=True)
        if entry.asset_materialization is not None
    }


def plain(entry: EventLogEntry, pointers: dict[str, str], *, several: bool) -> Any:
    def walk(value: Any) -> Any:
        match value:
            case dict() if value.get("label") == "latency_ms":
                return "latency"
            case dict():
                return {
                    k: pointers.get(v, "another run's")
                    if "input_event_pointer" in k and v != "NULL"
                    else walk(v)
                    for k, v in value.items()
                    if k not in _FREE and not (k == "first_step_failure_event" and several)
                }
            case list():
                return [walk(inner) for inner in value]
            case str() if "Steps failed: " in value:
                return sorted(re.findall(r"'(.*?)'", value))
            case str():
                return _TIMES.sub("…", value)
            case _:
                return value

    return walk(json.loads(entry.to_json()))


def same(ours: Ran, stock: Ran) -> None:
    assert ours.status == stock.status
    assert ours.tags == stock.tags
    mine, theirs = told(ours), told(stock)
    assert mine.keys() == theirs.keys()
    for step, events in theirs.items():
        assert [kind(e) for e in mine[step]] == [kind(e) for e in events], step
        assert mine[step] == events, step
    assert {n: (o.port, o.value) for n, o in ours.values.items()} == {
        n: (o.port, o.value) for n, o in stock.values.items()
    }
    free = {"latency_ms"}
    assert {
        n: {k: v for k, v in o.facts.items() if k not in free} for n, o in ours.values.items()
    } == {n: {k: v for k, v in o.facts.items() if k not in free} for n, o in stock.values.items()}


def kind(event: Any) -> str:
    return (event["dagster_event"] or {}).get("event_type_value") or event["user_message"]


def both(bench: Bench, agent: str, input_: JsonObject | None = None) -> tuple[Ran, Ran]:
    """The same run in the engine lane and by Dagster."""
    return lane.run(bench, agent, input_), bench.run(agent, input_)


@pytest.mark.parametrize("body", ["a bug", "something else"])
def test_branches(bench: Bench, body: str) -> None:
    bench.serve(samples.TRIAGE)
    same(*both(bench, "support-triage", {"body": body}))


CHAIN: JsonObject = {
    "apiVersion": "agentflow.io/v1",
    "kind": "Agent",
    "metadata": {"name": "chain"},
    "spec": {
        "inputs": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}},
        "nodes": {
            "ask": {
                "kind": "ai.chat",
                "retry": {"maxAttempts": 3, "delay": "10ms", "backoff": "fixed"},
                "with": {"prompt": "{{string(input.n)}}"},
            },
            "tell": {"kind": "ai.chat", "with": {"prompt": "{{ask.output.text}}"}},
            "aside": {"kind": "ai.chat", "when": "{{input.n > 5}}", "with": {"prompt": "aside"}},
            "both": {"kind": "logic.merge", "join": "any", "with": {"from": ["tell", "aside"]}},
        },
    },
}


def test_a_step_that_its_when_skips(bench: Bench) -> None:
    bench.serve(CHAIN)
    same(*both(bench, "chain", {"n": 1}))


def failing(bench: Bench, prompt: str, times: int) -> None:
    """Has the model fail the first calls with a prompt."""
    left = {"times": times}

    def answer(request: ModelRequest) -> str:
        if request.messages[-1].content == prompt and left["times"]:
            left["times"] -= 1
            raise ModelError("down", model="m", provider="p", status=503)
        return "fine"

    bench.model.answer = answer


@pytest.mark.parametrize(("prompt", "times"), [("1", 1), ("1", 2), ("1", 3), ("fine", 1)])
def test_retries_and_failures(bench: Bench, prompt: str, times: int) -> None:
    bench.serve(CHAIN)
    failing(bench, prompt, times)
    ours = lane.run(bench, "chain", {"n": 1})
    failing(bench, prompt, times)
    same(ours, bench.run("chain", {"n": 1}))


def test_an_input_that_does_not_fit(bench: Bench) -> None:
    agent: Any = json.loads(json.dumps(CHAIN))
    agent["spec"]["inputs"]["properties"]["n"]["minimum"] = 1
    bench.serve(agent)
    ours, stock = both(bench, "chain", {"n": 0})
    assert ours.status == "FAILURE"
    same(ours, stock)


@settings(
    max_examples=150 if THOROUGH else 10,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ],
    derandomize=not THOROUGH,
    report_multiple_bugs=False,
    phases=[Phase.generate],
)
@given(data=st.data())
def test_random_agents(bench: Bench, data: st.DataObject) -> None:
    agent = data.draw(agents())
    assume(checks(bench, document("random", agent)))
    plot = data.draw(plots(agent))
    name = f"random-{next(_numbers)}"
    bench.clear()
    bench.serve(document(name, agent))
    script(bench, plot)
    same(*both(bench, name, plot.input(agent)))
