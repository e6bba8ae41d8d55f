"""Runs of other agents: real runs of their own, linked both ways, bounded, and stopped together."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from dagster import DagsterEventType, DagsterRunStatus, RunsFilter

from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.cancellation import CURRENT, Cancellation
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from dagster import DagsterRun

    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench

CHILD = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: doubler, labels: {team: sums}}
spec:
  inputs: {type: object, required: [n], properties: {n: {type: integer}}}
  nodes:
    ask: {kind: ai.chat, with: {prompt: "Double {{input.n}}"}}
    twice:
      kind: code.python
      with:
        code: d = 10 / n and n * 2
        inputs: {n: "{{input.n}}"}
        outputs: {d: {type: integer}}
  outputs: {d: "{{twice.output.d}}"}
"""
PARENT = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: asker}
spec:
  inputs: {type: object, required: [n], properties: {n: {type: integer}}}
  nodes:
    call:
      kind: agent.run
      with: {agent: doubler, input: {n: "{{input.n}}"}}
      onError: {to: aside}
    after:
      kind: code.python
      with: {code: "x = d", inputs: {d: "{{call.output.d}}"}, outputs: [x]}
    aside:
      kind: code.python
      with: {code: "said = m", inputs: {m: "{{call.error.message}}"}, outputs: [said]}
  outputs: {d: "{{has(after.output) ? after.output.x : 0}}"}
"""
FAN = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: fan}
spec:
  nodes:
    each:
      kind: logic.loop
      with:
        over: [1, 2, 3]
        body:
          nodes: {call: {kind: agent.run, with: {agent: doubler, input: {n: "{{item}}"}}}}
          outputs: {d: "{{call.output.d}}"}
"""


def children(bench: Bench, parent: str) -> list[DagsterRun]:
    wanted = RunsFilter(tags={names.PARENT_RUN_TAG: parent})
    return list(bench.instance.get_runs(wanted))


def test_its_outputs_are_the_nodes(bench: Bench) -> None:
    bench.serve(CHILD, PARENT)
    ran = bench.run("asker", {"n": 4})
    assert ran.status == "SUCCESS"
    assert ran.values["call"].value == {"d": 8}
    assert ran.values["after"].value == {"x": 8}


def test_it_is_a_run_of_its_own_linked_both_ways(bench: Bench) -> None:
    bench.serve(CHILD, PARENT)
    ran = bench.run("asker", {"n": 4})
    (child,) = children(bench, ran.run_id)
    assert (child.job_name, child.status) == ("doubler_job", DagsterRunStatus.SUCCESS)
    assert child.tags[names.AGENT_TAG] == "doubler"
    assert child.tags[names.PARENT_NODE_TAG] == "call"
    assert child.tags["label/team"] == "sums"
    spent = {"cost_usd", "tokens_in", "tokens_out", "llm_calls"}
    for_people = {"agent", "version", "trigger", "parent_run", "parent_node", *spent}
    visible = {tag for tag in child.tags if not tag.startswith((".dagster/", "dagster/"))}
    assert visible == {*(f"agentflow/{name}" for name in for_people), "label/team"}
    told = bench.ran(child.run_id)
    assert told.materialized == {"ask", "twice"}
    (call,) = [m for key, m in ran.materializations.items() if key.path[-1] == "call"]
    assert call["run_1"].value == child.run_id
    (twice,) = [m for key, m in told.materializations.items() if key.path[-1] == "twice"]
    assert twice["parent_run"].value == ran.run_id


def test_what_its_models_took_counts_for_the_node(bench: Bench) -> None:
    bench.serve(CHILD, PARENT)
    ran = bench.run("asker", {"n": 4})
    (child,) = children(bench, ran.run_id)
    took = bench.ran(child.run_id).values["ask"].facts["tokens_in"]
    assert took
    assert ran.values["call"].facts["tokens_in"] == took


HUNGRY = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: hungry}
spec:
  inputs: {type: object, required: [mib], properties: {mib: {type: integer}}}
  nodes:
    eat:
      kind: code.python
      with:
        code: size = len(bytearray(mib * 1024 * 1024))
        inputs: {mib: "{{input.mib}}"}
        outputs: [size]
  outputs: {size: "{{eat.output.size}}"}
"""
FEEDS = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: feeds}
spec:
  inputs: {type: object, required: [mib], properties: {mib: {type: integer}}}
  nodes:
    call:
      kind: agent.run
      with: {agent: hungry, input: {mib: "{{input.mib}}"}}
      resources: {memory: 128Mi}
"""


def test_its_memory_holds_for_the_nodes_of_the_agent(bench: Bench) -> None:
    bench.serve(HUNGRY, FEEDS)
    assert bench.run("hungry", {"mib": 200}).status == "SUCCESS"
    assert bench.run("feeds", {"mib": 20}).status == "SUCCESS"
    assert bench.run("feeds", {"mib": 200}).status == "FAILURE"


def test_a_failure_names_the_run_and_the_node(bench: Bench) -> None:
    bench.serve(CHILD, PARENT)
    ran = bench.run("asker", {"n": 0})
    (child,) = children(bench, ran.run_id)
    assert child.status == DagsterRunStatus.FAILURE
    said = str(ran.values["aside"].value)
    assert child.run_id in said
    assert "twice: " in said
    assert "ZeroDivisionError" in said


def test_an_input_that_does_not_fit(bench: Bench) -> None:
    bench.serve(CHILD, PARENT.replace('n: "{{input.n}}"}}', 'n: "{{string(input.n)}}"}}'))
    ran = bench.run("asker", {"n": 4})
    assert "is not of type 'integer'" in str(ran.values["aside"].value)
    assert not children(bench, ran.run_id)


def test_an_agent_that_is_not_there(bench: Bench) -> None:
    bench.serve(PARENT)
    ran = bench.run("asker", {"n": 4})
    assert "There is no agent 'doubler' here" in str(ran.values["aside"].value)
    assert "asker" in str(ran.values["aside"].value)


def test_a_digest_is_what_runs_whatever_is_live(bench: Bench) -> None:
    old = bench.version(CHILD)
    digest = f"doubler:v1@sha256:{old.hash}"
    bench.serve(CHILD.replace("n * 2", "n * 3"), PARENT.replace("doubler", f'"{digest}"'))
    ran = bench.run("asker", {"n": 4})
    assert ran.values["call"].value == {"d": 8}


def test_a_tag_or_a_number(bench: Bench) -> None:
    tagged = CHILD.replace("{name: doubler,", "{name: doubler, tag: v1.2,")
    bench.serve(tagged, PARENT.replace("doubler", "agents/doubler:v1.2"))
    assert bench.run("asker", {"n": 1}).values["call"].value == {"d": 2}
    bench.serve(PARENT.replace("doubler", "agents/doubler:v9"))
    assert "no agent" in str(bench.run("asker", {"n": 1}).values["aside"].value)


def test_an_agent_that_would_run_itself(bench: Bench) -> None:
    again: JsonObject = {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": "again"},
        "spec": {"nodes": {"call": {"kind": "agent.run", "with": {"agent": "again"}}}},
    }
    bench.serve(again)
    ran = bench.run("again")
    assert ran.status == "FAILURE"
    assert "again -> again" in ran.failure("call").user_failure_data.description


def test_runs_side_by_side_in_a_loop(bench: Bench) -> None:
    bench.serve(CHILD, FAN)
    ran = bench.run("fan")
    assert ran.values["each"].value == {"items": [{"d": 2}, {"d": 4}, {"d": 6}], "errors": []}
    assert len(children(bench, ran.run_id)) == 3
    nodes = {child.tags[names.PARENT_NODE_TAG] for child in children(bench, ran.run_id)}
    assert nodes == {"each[0].call", "each[1].call", "each[2].call"}
    assert ran.of_type(DagsterEventType.LOGS_CAPTURED)


def test_the_steps_of_a_loop_are_kept_beside_the_runs(bench: Bench) -> None:
    bench.serve(CHILD, FAN)
    ran = bench.run("fan")
    assert ran.values["each[1].call"].value == {"d": 4}


def test_model_settings_go_before_the_childs_defaults(bench: Bench) -> None:
    child = CHILD.replace(
        "  nodes:", "  defaults: {llm: {model: own, temperature: 0.5}}\n  nodes:", 1
    )
    parent = PARENT.replace("onError:", "llm: {model: given}\n      onError:")
    bench.serve(child, parent)
    bench.run("asker", {"n": 4})
    (request,) = bench.model.requests
    assert (request.model, request.temperature) == ("given", 0.5)


def test_a_canceled_parent_takes_its_child_with_it(bench: Bench) -> None:
    endless = CHILD.replace(
        "code: d = 10 / n and n * 2", "code: import time; time.sleep(600); d = 1"
    )
    bench.serve(endless, PARENT)
    run = bench.prepare("asker", {"n": 4})
    outer = Cancellation()
    seen: list[Any] = []

    def work() -> None:
        CURRENT.set(outer)
        seen.extend(bench.stepwise(run))

    thread = threading.Thread(target=work)
    thread.start()

    def at_work() -> bool:
        return any(c.status == DagsterRunStatus.STARTED for c in children(bench, run.run_id))

    wait_until(at_work)
    bench.instance.report_run_canceling(run)
    outer.cancel()
    thread.join(timeout=60)
    assert not thread.is_alive()
    (child,) = children(bench, run.run_id)
    assert child.status == DagsterRunStatus.CANCELED
    assert bench.ran(run.run_id).status == "CANCELED"
