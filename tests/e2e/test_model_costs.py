"""What a run's calls to models cost is the same wherever one looks, to the last digit."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.orchestration.names import LANE_TAG
from agentflow_dagster.testing import Answer, Call, Damaged, faults
from tests.e2e.conftest import ACME_PRICE
from tests.support.command import Command
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.orchestration.record import RunRecord
    from agentflow_dagster.testing import Asked, Reply
    from tests.e2e.conftest import Running

CALLER = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: pays-for-models}
spec:
  defaults: {llm: {model: PROVIDER/one, maxTokens: 100}}
  nodes:
    refused: {kind: ai.chat, with: {prompt: refused at first}}
    cut: {kind: ai.chat, with: {prompt: cut at first}}
    unfit:
      kind: ai.extract
      with:
        text: unfit at first
        schema: {type: object, required: [city], properties: {city: {type: string}}}
  outputs: {said: "{{cut.output.text}}", city: "{{unfit.output.city}}"}
"""
POOR = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: too-poor-to-ask}
spec:
  defaults: {llm: {model: acme/one}}
  budget: {perRunUsd: 0.0001}
  nodes:
    ask: {kind: ai.chat, with: {prompt: How are you?}}
"""
IN_VAIN = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: pays-in-vain}
spec:
  defaults: {llm: {model: acme/one, maxTokens: 100}}
  nodes:
    before: {kind: ai.chat, with: {prompt: How are you?}}
    unfit:
      kind: ai.extract
      with:
        text: "{{before.output.text}}"
        schema: {type: object, required: [city], properties: {city: {type: string}}}
"""
LOOPS_IN_VAIN = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: loops-in-vain}
spec:
  defaults: {llm: {model: acme/one, maxTokens: 100}}
  nodes:
    each:
      kind: logic.loop
      with:
        over: [7, 8]
        body:
          nodes:
            helper:
              kind: ai.agent
              limits: {llmCalls: 1}
              with:
                prompt: "Where is {{item}}?"
                tools:
                  find_order:
                    description: Says where an order is.
                    parameters: {type: object}
                    nodes:
                      get: {kind: code.python, with: {code: "is_ = 'sent'", outputs: [is_]}}
                    outputs: {order: "{{get.output.is_}}"}
"""
TRIES_TWICE = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: tries-twice}
spec:
  defaults: {llm: {model: acme/one, maxTokens: 100}}
  nodes:
    unfit:
      kind: ai.extract
      retry: {maxAttempts: 2, backoff: fixed, delay: 10ms}
      with:
        text: Where?
        schema: {type: object, required: [city], properties: {city: {type: string}}}
"""
MATERIALIZED = """
query Materialized($run: ID!) {
  runOrError(runId: $run) {
    ... on Run {
      status
      tags { key value }
      assetMaterializations {
        assetKey { path }
        metadataEntries { label ... on FloatMetadataEntry { floatValue } }
      }
    }
  }
}"""

in_both_lanes = pytest.mark.parametrize(
    "tags",
    [
        pytest.param({}, id="engine"),
        pytest.param({LANE_TAG: "warm"}, marks=pytest.mark.soak, id="process"),
    ],
)


def at_first(fault: Reply, then: Reply) -> Callable[[], Reply]:
    replies = iter([fault])
    return lambda: next(replies, then)


def script() -> Callable[[Asked], Reply]:
    """A fault at the first call of each node; figures whose sums are no round numbers."""
    said: dict[str, Callable[[], Reply]] = {
        "refused": at_first(faults.server_error(), Answer("Well.", tokens_in=37, tokens_out=11)),
        "cut": at_first(faults.cut(), Answer("Whole.", tokens_in=41, tokens_out=13)),
        "unfit": at_first(
            Answer('{"town": "Ulm"}', tokens_in=53, tokens_out=17),
            Answer('{"city": "Ulm"}', tokens_in=97, tokens_out=7),
        ),
    }

    def answer(asked: Asked) -> Reply:
        told = " ".join(message.content for message in asked.messages)
        return next(reply() for name, reply in said.items() if f"{name} at first" in told)

    return answer


@pytest.fixture
def deployed(running: Running) -> Generator[Callable[[str], Plan]]:
    """Deploys an agent, and takes its file away at the end."""
    files = list[Any]()

    def deploy(text: str) -> Plan:
        file = running.project.root / "notebooks" / f"models-{len(files)}.agent.yaml"
        file.write_text(text)
        files.append(file)
        return running.deploy(file.name)[0]

    yield deploy
    for file in files:
        file.unlink()


def rows_of(running: Running, run_id: str) -> list[dict[str, Any]]:
    """The run's calls, once all of them have ended in the table."""

    def ended() -> list[dict[str, Any]]:
        found = running.platform.stores.account.calls(run=run_id).to_pylist()
        return [] if any(row["state"] == "open" for row in found) else found

    return wait_until(ended)


def costs_of(running: Running, run_id: str) -> dict[str, Any]:
    """What `agentflow costs --run RUN --json` prints of all calls."""
    url = running.project.variables["AGENTFLOW_DATABASE_URL"]
    command = Command(running.project.root, {"AGENTFLOW_DATABASE_URL": url})
    told = command.run("costs", "--run", run_id, "--json")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)["total"]


@pytest.mark.parametrize(
    ("provider", "tags"),
    [
        pytest.param("acme", {}, id="engine"),
        pytest.param("streams", {}, id="engine, streamed"),
        pytest.param("acme", {LANE_TAG: "warm"}, marks=pytest.mark.soak, id="process"),
        pytest.param("streams", {LANE_TAG: "warm"}, marks=pytest.mark.soak, id="process, streamed"),
    ],
)
def test_a_run_costs_the_same_wherever_one_looks(
    running: Running,
    deployed: Callable[[str], Plan],
    provider: str,
    tags: dict[str, str],
) -> None:
    running.acme.answer_with(script(), forget=True)
    plan = deployed(CALLER.replace("PROVIDER", provider))
    record = running.run(plan, {}, **tags)
    assert record.status == "SUCCESS"
    assert record.outputs == {"said": "Whole.", "city": "Ulm"}

    rows = rows_of(running, record.run_id)
    told = running.graphql(MATERIALIZED, {"run": record.run_id})["runOrError"]
    tagged = {tag["key"]: tag["value"] for tag in told["tags"]}
    shown = [
        Decimal(str(entry["floatValue"]))
        for made in told["assetMaterializations"]
        for entry in made["metadataEntries"]
        if entry["label"] == "cost_usd"
    ]
    states = sorted((row["node"], row["state"]) for row in rows)
    assert states == [
        ("cut", "answered"),
        ("cut", "lost"),
        ("refused", "answered"),
        ("refused", "refused"),
        ("unfit", "answered"),
        ("unfit", "invalid"),
    ]
    ledger = sum((row["cost_usd"] for row in rows), Decimal(0))
    assert ledger > 0
    assert Decimal(tagged["agentflow/cost_usd"]) == ledger
    assert len(shown) == 3
    assert sum(shown) == ledger
    assert Decimal(costs_of(running, record.run_id)["cost_usd"]) == ledger

    # Nobody knows what the reply that was cut has cost: it counts at its bound. All else is as
    # the provider bills it.
    (lost,) = [row["cost_usd"] for row in rows if row["state"] == "lost"]
    (cut,) = [call.reply for call in running.acme.received if isinstance(call.reply, Damaged)]
    assert lost > ACME_PRICE.of(cut.answer) > 0
    assert ledger - lost == running.acme.bill().usd - ACME_PRICE.of(cut.answer)


@in_both_lanes
def test_a_failed_step_costs_what_it_has_asked_for(
    running: Running, deployed: Callable[[str], Plan], tags: dict[str, str]
) -> None:
    reply = Answer('{"town": "Ulm"}', tokens_in=53, tokens_out=17)
    running.acme.answer_with([reply], forget=True)
    record = running.run(deployed(IN_VAIN), {}, **tags)
    assert record.status == "FAILURE"
    before, unfit = record.nodes
    asked = len(running.acme.received)
    assert asked > 2
    assert before.tokens_in == 53
    assert unfit.status == "FAILURE"
    assert (unfit.tokens_in, unfit.tokens_out) == (53 * (asked - 1), 17 * (asked - 1))
    assert (unfit.model, unfit.provider) == ("one", "acme")
    billed = running.acme.bill().usd
    assert sum(row["cost_usd"] for row in rows_of(running, record.run_id)) == billed
    assert record.cost_usd is not None
    assert record.cost_usd == pytest.approx(float(billed), abs=1e-12)
    costs = running.platform.stores.account.costs([record.run_id, "none"])
    assert costs == {record.run_id: float(billed), "none": 0.0}


@in_both_lanes
def test_a_step_costs_what_all_its_attempts_have_asked_for(
    running: Running, deployed: Callable[[str], Plan], tags: dict[str, str]
) -> None:
    def reply(number: int, unfit: int) -> Reply:
        said = '{"town": "Ulm"}' if number <= unfit else '{"city": "Ulm"}'
        return Answer(said, tokens_in=53, tokens_out=17)

    def ran(unfit: int) -> tuple[RunRecord, int]:
        numbers = count(1)
        running.acme.answer_with(lambda _: reply(next(numbers), unfit), forget=True)
        return running.run(plan, {}, **tags), len(running.acme.received)

    plan = deployed(TRIES_TWICE)
    in_vain, asked = ran(100)
    (step,) = in_vain.nodes
    assert (step.status, step.attempts) == ("FAILURE", 2)
    assert step.tokens_in == 53 * asked
    good, again = ran(asked // 2)
    (step,) = good.nodes
    assert (step.status, step.attempts, again) == ("SUCCESS", 2, asked // 2 + 1)
    assert step.tokens_in == 53 * again
    assert good.cost_usd == pytest.approx(float(running.acme.bill().usd), abs=1e-12)


def test_a_failed_step_costs_what_was_asked_inside_it(
    running: Running, deployed: Callable[[str], Plan]
) -> None:
    looks = Answer("", (Call("find_order", {}),), tokens_in=61, tokens_out=19)
    running.acme.answer_with([looks], forget=True)
    record = running.run(deployed(LOOPS_IN_VAIN), {})
    (each,) = record.nodes
    assert "which is its limit" in each.error
    assert each.tokens_in == 61 * len(running.acme.received) > 0
    assert record.cost_usd == pytest.approx(float(running.acme.bill().usd), abs=1e-12)


@pytest.fixture
def settings(running: Running) -> Generator[Path]:
    """The project's `models.yaml`, which is as it was at the end."""
    file = running.project.root / "models.yaml"
    before = file.read_text()
    yield file
    file.write_text(before)


def test_a_running_engine_asks_the_models_that_the_project_says_now(
    running: Running, deployed: Callable[[str], Plan], settings: Path
) -> None:
    running.acme.answer_with([Answer("Fine.")], forget=True)
    plan = deployed(POOR.replace("acme/one", "house").replace("0.0001", "1"))
    assert running.run(plan, {}).status == "FAILURE"
    said = settings.read_text()
    settings.write_text(f"{said}aliases: {{house: acme/one}}\n")
    wait_until(lambda: running.run(plan, {}).status == "SUCCESS")
    settings.write_text(said)
    wait_until(lambda: running.run(plan, {}).status == "FAILURE")


def test_a_run_without_enough_of_a_budget_asks_nobody(
    running: Running, deployed: Callable[[str], Plan]
) -> None:
    running.acme.answer_with([Answer()], forget=True)
    plan = deployed(POOR)
    record = running.run(plan, {})
    assert record.status == "FAILURE"
    failures = running.platform.client.failures(record.run_id)
    said = "; ".join(failure.message for failure in failures.values())
    assert "A call of 'one' needs" in said
    assert f"of the 0.0001 USD that run {record.run_id} may spend 0.0001 USD are left" in said
    assert running.acme.received == ()
