"""Random agents run on Dagster as the rules of the format say."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from dagster import DagsterInstance
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from agentflow_dagster.errors import ModelError
from agentflow_dagster.graph.check import check_agent
from agentflow_dagster.spec.parse import parse_agent
from tests.orchestration.bench import Bench
from tests.orchestration.random_agents import (
    agents,
    assets,
    document,
    interpret,
    interpret_again,
    interpret_partial,
    plots,
)
from tests.support.properties import THOROUGH

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.random_agents import Part, Plot

few = settings(
    max_examples=200 if THOROUGH else 12,
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
_numbers = count()


@pytest.fixture(scope="module")
def ephemeral(shared_bench: Bench) -> Generator[Bench]:
    """Dagster's record in memory, which is faster; the values in PostgreSQL as ever."""
    with DagsterInstance.ephemeral() as instance:
        shared = shared_bench
        yield Bench(instance, shared.stores, shared.database_url, shared.artifacts)


@few
@given(data=st.data())
def test_a_run_does_what_the_rules_say(ephemeral: Bench, data: st.DataObject) -> None:
    agent = data.draw(agents())
    assume(checks(ephemeral, document("random", agent)))
    plot = data.draw(plots(agent))
    name = served(ephemeral, agent)
    asked = script(ephemeral, plot)
    ran = ephemeral.run(name, plot.input(agent))
    told = interpret(agent, plot)
    assert {n: o.port for n, o in ran.values.items()} == told.left
    assert ran.failed == told.failed
    assert ran.status == ("SUCCESS" if told.succeeds else "FAILURE")
    assert ran.nodes_succeeded == {*told.left, *told.passed}
    assert ran.materialized == {n for n in assets(agent) if makes(agent, n, told.left)}
    chats = {p.name for p in agent if p.kind == "chat"}
    assert sorted(asked) == sorted(chats & ({*told.left} | told.failed))


@few
@given(data=st.data())
def test_a_partial_run_does_what_was_selected(ephemeral: Bench, data: st.DataObject) -> None:
    agent = data.draw(agents())
    made = sorted(assets(agent))
    assume(len(made) > 1 and checks(ephemeral, document("random", agent)))
    plot = data.draw(plots(agent))
    told = interpret(agent, plot)
    assume(told.succeeds)
    selected = data.draw(st.sets(st.sampled_from(made), min_size=1, max_size=len(made) - 1))
    name = served(ephemeral, agent)
    script(ephemeral, plot)
    source = ephemeral.run(name, plot.input(agent))
    assert source.status == "SUCCESS"

    again = replace(plot, failing=data.draw(plots(agent)).failing)
    told = interpret_partial(agent, again, told, frozenset(selected))
    asked = script(ephemeral, again)
    prefix = name.replace("-", "_")
    ran = ephemeral.launch(
        data.draw(st.sampled_from([f"{prefix}_job", "__ASSET_JOB"])),
        config=run_config_of(prefix, source_run=source.run_id),
        select=[f"{prefix}/{node}" for node in selected],
    )
    chats = {p.name for p in agent if p.kind == "chat"}
    assert set(asked) == chats & selected & ({*told.left} | told.failed)
    ways = {n: o.port for n, o in ran.values.items()}
    assert ways == {n: told.left[n] for n in ways}
    assert {*ways} & {*made} == {*told.left} & selected
    assert ran.materialized == {n for n in selected if makes(agent, n, told.left)}
    assert ran.status == ("SUCCESS" if told.succeeds else "FAILURE")
    assert ran.tags["agentflow/source_run"] == source.run_id
    assert ran.tags["agentflow/partial"] == "true"


@settings(few, max_examples=100 if THOROUGH else 6)
@given(data=st.data())
def test_a_failed_run_goes_on_where_it_failed(bench: Bench, data: st.DataObject) -> None:
    agent = data.draw(agents())
    plot = data.draw(plots(agent))
    first = interpret(agent, plot)
    assume(not first.succeeds and checks(bench, document("random", agent)))
    name = served(bench, agent)
    script(bench, plot)
    failed = bench.run(name, plot.input(agent))
    assert failed.status == "FAILURE"

    mended = replace(plot, failing=frozenset())
    told = interpret_again(agent, mended, first)
    asked = script(bench, mended)
    ran = bench.reexecute(failed, ReexecutionStrategy.FROM_FAILURE)
    chats = {p.name for p in agent if p.kind == "chat"}
    assert set(asked) == chats & ({*told.left} | told.failed) - {*first.left}
    assert {n: o.port for n, o in {**failed.values, **ran.values}.items()} == told.left
    assert ran.status == ("SUCCESS" if told.succeeds else "FAILURE")


def makes(agent: Sequence[Part], node: str, left: Mapping[str, str]) -> bool:
    """Whether an asset was made: it left by its value, or has none and left at all."""
    part = next(p for p in agent if p.name == node)
    return left.get(node) == "result" or (part.kind == "switch" and node in left)


def run_config_of(agent: str, **choice: str) -> dict[str, Any]:
    return {"ops": {agent: {"config": choice}}}


def served(bench: Bench, agent: tuple[Part, ...]) -> str:
    """Serves the agent alone; its name."""
    name = f"random-{next(_numbers)}"
    written = document(name, agent)
    bench.clear()
    bench.serve(written)
    return name


def checks(bench: Bench, written: JsonObject) -> bool:
    parsed = parse_agent(written)
    assert not isinstance(parsed, tuple), parsed
    return check_agent(parsed, bench.kinds).plan is not None


def script(bench: Bench, plot: Plot) -> list[str]:
    """Has the model fail where the plot says so; the nodes that ask it are put into the list."""
    asked: list[str] = []

    def answer(request: ModelRequest) -> str:
        node = request.messages[-1].content.split(" ")[0]
        asked.append(node)
        if node in plot.failing:
            raise ModelError("down", model="m", provider="p")
        return "fine"

    bench.model.answer = answer
    return asked
