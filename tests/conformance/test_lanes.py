"""The engine lane and the process lane record a run as Dagster's own executor does.

What may differ, and why:

- times, durations and process ids;
- PIPELINE_STARTING: whoever launches a run writes it, and nobody launches those of this bench;
- RESOURCE_INIT_STARTED, RESOURCE_INIT_SUCCESS: the engine's adapters are there before the run;
- LOGS_CAPTURED: the engine's runs share one process, whose output is none of theirs alone; what a
  step prints is in its log;
- "Started process for run", "Process for run exited": the process lane's alone here, as stock runs
  of this bench have no process of their own;
- steps that do not wait for each other run side by side, so that only the order of each step's own
  events is compared, and that of the run's own;
- the stack of an error, and in what it was raised: they are the executor's;
- which of several failures the run's end names first;
- what other items of a loop have come to when one of them fails.
"""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from agentflow_dagster.errors import ModelError
from agentflow_dagster.ports.model import ModelReply, ToolCall, Usage
from tests.conformance import process_lane
from tests.conformance.records import same
from tests.orchestration import lane, samples
from tests.orchestration.bench import Bench
from tests.orchestration.random_agents import agents, document, plots
from tests.orchestration.samples import agent
from tests.orchestration.test_semantics import checks, script
from tests.support.properties import THOROUGH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonObject, JsonValue
    from tests.orchestration.bench import Ran

    Lane = Callable[[Bench, str, JsonObject | None], Ran]

JOINED = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: joined}
spec:
  nodes:
    a_way: {kind: logic.switch, with: {cases: {never: "{{1 == 2}}"}, default: other}}
    never: {kind: ai.chat, after: [a_way.never], with: {prompt: never}}
    z_fails: {kind: ai.chat, with: {prompt: fails}}
    z_lost: {kind: ai.chat, after: [z_fails], with: {prompt: lost}}
    z_joins: {kind: ai.chat, after: [z_lost, never], with: {prompt: joins}}
"""
BOTH_FAIL = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: both-fail}
spec:
  nodes:
    slow:
      kind: ai.chat
      retry: {maxAttempts: 2, delay: 50ms}
      onError: {to: aside}
      with: {prompt: fail slowly}
    fast: {kind: ai.chat, onError: {to: beside}, with: {prompt: fail fast}}
    aside: {kind: ai.chat, with: {prompt: aside}}
    beside: {kind: ai.chat, with: {prompt: beside}}
"""

_numbers = count()


def alike(
    bench: Bench,
    name: str,
    input_: JsonObject | None = None,
    *,
    scripted: Callable[[], object] = lambda: None,
    lanes: Sequence[Lane] = (lane.run, process_lane.run),
) -> Ran:
    """Runs an agent in every lane, and compares what is recorded; Dagster's own record.

    Args:
        bench: Where it is served.
        name: The agent.
        input_: Its input.
        scripted: Says anew what the model is to answer, before each run.
        lanes: Those that are compared with Dagster.
    """
    ran: list[Ran] = []
    for run in (*lanes, Bench.run):
        scripted()
        ran.append(run(bench, name, input_))
    *ours, stock = ran
    for one in ours:
        same(one, stock)
    return stock


@pytest.mark.parametrize("body", ["a bug", "something else"])
def test_branches(bench: Bench, body: str) -> None:
    bench.serve(samples.TRIAGE)
    alike(bench, "support-triage", {"body": body})


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
    alike(bench, "chain", {"n": 1})


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
    alike(bench, "chain", {"n": 1}, scripted=lambda: failing(bench, prompt, times))


def test_an_input_that_does_not_fit(bench: Bench) -> None:
    document: Any = json.loads(json.dumps(CHAIN))
    document["spec"]["inputs"]["properties"]["n"]["minimum"] = 1
    bench.serve(document)
    assert alike(bench, "chain", {"n": 0}).status == "FAILURE"


DIAMOND = """
    source: {kind: ai.chat, with: {prompt: source}}
    left: {kind: ai.chat, with: {prompt: "left {{source.output.text}}"}}
    right: {kind: ai.chat, with: {prompt: "right {{source.output.text}}"}}
    below: {kind: ai.chat, with: {prompt: "{{left.output.text}} {{right.output.text}}"}}
    aside: {kind: ai.chat, after: [left, right], join: any, with: {prompt: aside}}
"""


@pytest.mark.parametrize("fails", ["", "left fine"])
def test_joins(bench: Bench, fails: str) -> None:
    bench.serve(agent("diamond", DIAMOND))
    stock = alike(bench, "diamond", scripted=lambda: failing(bench, fails, 1))
    assert stock.status == ("FAILURE" if fails else "SUCCESS")


OVER = """
    each:
      kind: logic.loop
      with:
        over: "{{input.words}}"
        as: word
        concurrency: 2
        body:
          nodes:
            ask: {kind: ai.chat, with: {prompt: "{{word}}"}}
            tell: {kind: ai.chat, with: {prompt: "tell {{ask.output.text}}"}}
          outputs: {said: "{{tell.output.text}}"}
    last: {kind: ai.chat, with: {prompt: "{{string(size(each.output.items))}}"}}
"""
WHILE = """
    count:
      kind: logic.loop
      with:
        state: {n: 0}
        while: "{{state.n < 3}}"
        next: {n: "{{state.n + 1}}"}
        maxIterations: 5
        body:
          nodes:
            ask: {kind: ai.chat, with: {prompt: "round {{string(state.n)}}"}}
          outputs: {}
    last: {kind: ai.chat, after: [count], with: {prompt: last}}
"""


@pytest.mark.parametrize("fails", ["", "b"])
def test_loops_over_a_list(bench: Bench, fails: str) -> None:
    inputs = "{words: {type: array, items: {type: string}}}"
    bench.serve(agent("over", OVER, inputs=inputs))
    words: JsonObject = {"words": ["a", "b", "c"]}
    stock = alike(bench, "over", words, scripted=lambda: failing(bench, fails, 1))
    assert stock.failed == ({"each"} if fails else set())


def test_loops_while_something_holds(bench: Bench) -> None:
    bench.serve(agent("rounds", WHILE))
    assert alike(bench, "rounds").status == "SUCCESS"


HANDLED = """
    shaky:
      kind: ai.chat
      retry: {maxAttempts: 2, backoff: fixed, delay: 1ms}
      onError: {to: handler}
      with: {prompt: shaky}
    handler: {kind: ai.chat, with: {prompt: "handle {{shaky.error.message}}"}}
    after: {kind: ai.chat, with: {prompt: "{{shaky.output.text}}"}}
    done: {kind: logic.merge, join: any, with: {from: [after, handler]}}
"""


@pytest.mark.parametrize("times", [0, 1, 2])
def test_errors_that_are_handled(bench: Bench, times: int) -> None:
    bench.serve(agent("handled", HANDLED))
    stock = alike(bench, "handled", scripted=lambda: failing(bench, "shaky", times))
    assert stock.status == "SUCCESS"
    assert ("handler" in stock.succeeded) == (times == 2)


SLOW = """
    slow: {kind: ai.chat, timeout: 50ms, ON_ERROR with: {prompt: slow}}
    rescue: {kind: ai.chat, after: [slow], with: {prompt: rescue}}
"""


@pytest.mark.parametrize("handled", [True, False])
def test_timeouts(bench: Bench, handled: bool) -> None:
    taken = "onError: {to: rescue}, " if handled else ""
    nodes = SLOW.replace("ON_ERROR ", taken).replace("after: [slow], " if handled else "\0", "")
    bench.serve(agent("patient", nodes))
    stock = alike(bench, "patient", scripted=lambda: bench.model.hang_on("slow"))
    assert stock.status == ("SUCCESS" if handled else "FAILURE")


def test_a_way_that_is_not_taken_joins_one_that_is_given_up(bench: Bench) -> None:
    """Dagster's own executor never ends here: nothing is executed after the failure."""
    bench.serve(JOINED)

    def failing() -> None:
        def answer(_: ModelRequest) -> JsonValue:
            raise ModelError("No.", model="small", provider="small", status=500)

        bench.model.answer = answer

    assert alike(bench, "joined", scripted=failing).status == "FAILURE"


def test_errors_that_are_handled_at_once(bench: Bench) -> None:
    """They are named in the document's order, whichever ended first."""
    bench.serve(BOTH_FAIL)

    def failing() -> None:
        bench.model.label()
        label = bench.model.answer

        def answer(request: ModelRequest) -> JsonValue:
            if request.messages[-1].content.startswith("fail"):
                raise ModelError("No.", model="small", provider="small", status=500)
            return label(request)

        bench.model.answer = answer

    stock = alike(bench, "both-fail", scripted=failing)
    assert stock.tags["agentflow/handled_error"] == "slow,fast"


HELPED = """
    helper:
      kind: ai.agent
      with:
        prompt: "{{input.question}}"
        tools:
          look_up:
            description: Looks a word up.
            parameters: {type: object, required: [word], properties: {word: {type: string}}}
            nodes: {find: {kind: ai.chat, with: {prompt: "what is {{args.word}}"}}}
            outputs: {meaning: "{{find.output.text}}"}
    last: {kind: ai.chat, with: {prompt: "{{helper.output.text}}"}}
"""


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_that_calls_tools(bench: Bench, fails: bool) -> None:
    bench.serve(agent("helped", HELPED, inputs="{question: {type: string}}"))
    usage = Usage(7, 3, Decimal("0.0005"), 12.5, "scripted-1", "scripted")

    def reply(request: ModelRequest) -> ModelReply:
        if not request.tools:
            return ModelReply(f"re: {request.messages[-1].content}", None, usage)
        if (turn := sum(m.role == "assistant" for m in request.messages)) < 2:
            call = ToolCall(f"call{turn}", "look_up", {"word": f"word {turn}"})
            return ModelReply("", None, usage, (call,))
        if fails:
            raise ModelError("No.", model="small", provider="small", status=500)
        return ModelReply("Both.", None, usage)

    bench.model.reply = reply
    stock = alike(bench, "helped", {"question": "?"})
    assert stock.status == ("FAILURE" if fails else "SUCCESS")
    if not fails:
        (made, _) = stock.materializations.values()
        assert made["tokens_in"].value == 35


@pytest.mark.parametrize("nodes", [["draft"], ["classify", "done"], ["file_bug", "draft"]])
def test_partial_runs_in_a_process(bench: Bench, nodes: list[str]) -> None:
    """The engine leaves these to the other lanes."""
    bench.serve(samples.TRIAGE)
    source = bench.run("support-triage", {"body": "a bug"})
    config: JsonObject = {"source_run": source.run_id}
    select = [f"support_triage/{node}" for node in nodes]
    forked = process_lane.run(bench, "support-triage", config=config, select=select)
    same(forked, bench.partial("support-triage", *nodes, config=config))


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
    drawn = data.draw(agents())
    assume(checks(bench, document("random", drawn)))
    plot = data.draw(plots(drawn))
    name = f"random-{next(_numbers)}"
    bench.clear()
    bench.serve(document(name, drawn))
    lanes = (lane.run, process_lane.run) if THOROUGH else (lane.run,)
    alike(bench, name, plot.input(drawn), scripted=lambda: script(bench, plot), lanes=lanes)
