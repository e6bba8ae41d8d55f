"""Runs one test: its cases, each as a run of the agent or of one node in memory."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from agentflow_dagster.engine.graph_run import GraphRun, run_graph
from agentflow_dagster.engine.outputs import agent_outputs
from agentflow_dagster.engine.scope import node_values
from agentflow_dagster.engine.stand_ins import StandIn
from agentflow_dagster.engine.step import Attempt, Services
from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph.inputs import complete_input, conform
from agentflow_dagster.graph.partitions import with_partition
from agentflow_dagster.graph.templates import fill
from agentflow_dagster.models import SentenceModel
from agentflow_dagster.operations.data_sets import picked_rows, read_rows
from agentflow_dagster.operations.testing.agents import MemoryAgents
from agentflow_dagster.operations.testing.judging import Judge, RunFacts
from agentflow_dagster.operations.testing.telling import told_lines
from agentflow_dagster.ports.document_tests import Broken, CaseReport, TestReport
from agentflow_dagster.ports.journal import MemoryJournal
from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.operations.testing.agents import FindPlan
    from agentflow_dagster.spec.tests import AgentTest
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue, Value

AT_ONCE = 4
"""Cases of one test that run at a time."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One case: its number, and what its texts read."""

    number: int | None
    scope: Mapping[str, Value]

    def fill(self, value: JsonValue) -> Value:
        return fill(value, self.scope)


class DocumentTests:
    """Runs tests. Keeps the sentence model that judges likeness, once it was needed."""

    def __init__(self) -> None:
        self._sentences = SentenceModel()

    async def run(
        self,
        plan: Plan,
        name: str,
        services: Services,
        find: FindPlan,
        *,
        after_case: Callable[[int, int], None] | None = None,
    ) -> TestReport:
        """Runs a test of an agent to its end; whatever goes wrong in a run is in the report.

        Args:
            plan: The agent.
            name: One of its tests.
            services: The adapters that its nodes work with; its agents do not count.
            find: The agents that it may run.
            after_case: Told how many cases are done, of how many.
        """
        test = plan.agent.spec.tests[name]
        services = replace(
            services, agents=MemoryAgents(find, services, (plan.agent.name,)), stand_ins={}
        )
        try:
            cases = _cases(test, services)
        except UsageError as problem:
            return TestReport(
                plan.agent.name, name, test.node, (), test.pass_rate, problem=str(problem)
            )
        room, done = asyncio.Semaphore(AT_ONCE), 0

        async def one(case: _Case) -> CaseReport:
            nonlocal done
            async with room:
                report = await self._case(plan, test, case, services)
            done += 1
            if after_case is not None:
                after_case(done, len(cases))
            return report

        reports = await asyncio.gather(*(one(case) for case in cases))
        return TestReport(plan.agent.name, name, test.node, tuple(reports), test.pass_rate)

    def told(self, report: TestReport) -> str:
        """What a person has to know of a test that failed; "" of one that passed."""
        return "" if report.passed else "\n".join(told_lines(report))

    async def _case(
        self, plan: Plan, test: AgentTest, case: _Case, services: Services
    ) -> CaseReport:
        started = time.perf_counter()
        try:
            input_ = _input(plan, test, case)
            done = await _run(plan, test, case, input_, services)
            elapsed = time.perf_counter() - started
            scope = _scope(plan, case, input_, done)
            if test.node is None:
                scope["outputs"] = agent_outputs(
                    plan.agent,
                    "test",
                    input_,
                    done.outputs,
                    services.environment,
                    partition=_partition(plan, test, case),
                )
            facts = _facts(plan, scope, done, elapsed)
            broken = await Judge(self._sentences, services.code).judge(test, facts)
        except (RunError, UsageError) as problem:
            broken = (Broken("", str(problem)),)
            return CaseReport(case.number, broken, time.perf_counter() - started, None, 0)
        return CaseReport(case.number, broken, elapsed, facts.cost_usd, facts.tokens)


def _cases(test: AgentTest, services: Services) -> list[_Case]:
    """Every case.

    Raises:
        UsageError: the data set cannot be read, or no row of it is picked.
    """
    if test.cases is None:
        return [_Case(None, {})]
    rows = picked_rows(read_rows(services.data, test.cases.file), test.cases)
    if not rows:
        raise UsageError(f"No row of {test.cases.file!r} is picked.")
    return [_Case(n, {"case": cast("Value", row)}) for n, row in enumerate(rows, start=1)]


def _input(plan: Plan, test: AgentTest, case: _Case) -> JsonObject:
    """The run's input, complete, with its partition; a node alone may read less than all of it.

    Raises:
        UsageError: it does not meet the agent's schema, or there is no such partition.
    """
    schema = cast("JsonSchema", plan.agent.spec.inputs)
    given = cast("JsonObject", case.fill(dict(test.input)))
    given = with_partition(schema, given, _partition(plan, test, case))
    if test.node is None:
        return complete_input(schema, given)
    known = properties(schema)
    defaults: JsonObject = {n: p["default"] for n, p in known.items() if "default" in p}
    return cast("JsonObject", conform(cast("Value", {**defaults, **given}), schema))


def _partition(plan: Plan, test: AgentTest, case: _Case) -> JsonObject:
    """What `run` shows of the partition.

    Raises:
        UsageError: there is no such partition.
    """
    cut = plan.agent.spec.partitions
    if cut is None or test.partition is None:
        return {}
    # Imports Dagster, which knows the keys of windows, and which most tests do without.
    from agentflow_dagster.orchestration.partitions import asked, shown_of

    return shown_of(cut, asked(cut, str(case.fill(test.partition))).key)


async def _run(
    plan: Plan, test: AgentTest, case: _Case, input_: JsonObject, services: Services
) -> GraphRun:
    stand_ins = {
        path: StandIn(
            output=case.fill(mock.output),
            port=mock.port or "result",
            error=str(case.fill(mock.error)) if mock.error is not None else None,
        )
        for path, mock in test.mocks.items()
    }
    services = replace(services, stand_ins=stand_ins)
    journal = MemoryJournal()
    steps = plan.steps
    if test.node is not None:
        # What is given stands in the journal, where a run finds what it has done already.
        for name, value in test.given.items():
            schema = plan.step(name).output_schema
            await journal.put(name, StepOutput("result", conform(case.fill(value), schema), {}))
        alone = [n for n in test.given if n != test.node] + [test.node]
        steps = tuple(replace(plan.step(name), edges=()) for name in alone)
    begin = Attempt.first(plan, input_, run_id="test", journal=journal)
    begin = replace(begin, partition=_partition(plan, test, case))
    return await run_graph(plan, steps, begin, services)


def _scope(plan: Plan, case: _Case, input_: JsonObject, done: GraphRun) -> dict[str, Value]:
    return {
        **node_values(plan.agent.spec.nodes, done.outputs),
        **case.scope,
        "input": cast("Value", input_),
    }


def _facts(plan: Plan, scope: Mapping[str, Value], done: GraphRun, seconds: float) -> RunFacts:
    costs = [usage.cost_usd for usage in done.usage]
    known = [cost for cost in costs if cost is not None]
    return RunFacts(
        scope=scope,
        skipped=frozenset(plan.agent.spec.nodes) - done.outputs.keys() - done.failures.keys(),
        failures={name: str(failure) for name, failure in done.failures.items()},
        seconds=seconds,
        cost_usd=float(sum(known, Decimal(0))) if len(known) == len(costs) else None,
        tokens=sum(usage.tokens_in + usage.tokens_out for usage in done.usage),
    )
