"""The tests in a document, as asset checks.

They stand on an asset of their own, which nothing makes: tests are of a version, not of what its
last run put out. Whatever is materialized therefore takes none of them along, and what they call
costs nothing until somebody executes one, or the job of them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    AssetSelection,
    AssetSpec,
    MetadataValue,
    Nothing,
    OpDefinition,
    Out,
    define_asset_job,  # pyright: ignore[reportUnknownVariableType]
    in_process_executor,
)

from agentflow_dagster.errors import DocumentError, RunError
from agentflow_dagster.orchestration import names, references
from agentflow_dagster.orchestration.cancellation import run_step
from agentflow_dagster.orchestration.child_runs import version_of
from agentflow_dagster.orchestration.op import step_services, unannotated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dagster import OpExecutionContext
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

    from agentflow_dagster.engine.step import Services
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.orchestration.child_runs import Peers
    from agentflow_dagster.ports.document_tests import TestReport
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.ports.stores import Version
    from agentflow_dagster.spec.kind import KindConfig
    from agentflow_dagster.stores import Stores

ASSET = "_tests"
"""The last part of the asset's key; no node's name begins so."""
_RESULT = "result"


class Tester(Protocol):
    """Runs tests, and tells how they came out."""

    async def run(
        self, plan: Plan, name: str, services: Services, find: Callable[[str], Plan]
    ) -> TestReport:
        """Runs a test to its end.

        Args:
            plan: The agent.
            name: One of its tests.
            services: The adapters that its nodes work with.
            find: The plan of another agent, by its reference; raises RunError where there is none.
        """
        ...

    def told(self, report: TestReport) -> str:
        """What does not hold, for people."""
        ...


@dataclass(frozen=True, slots=True)
class CompiledTests:
    """What Dagster gets of an agent's tests."""

    asset: AssetSpec
    checks: tuple[AssetChecksDefinition, ...]
    job: UnresolvedAssetJobDefinition


def compile_tests(
    plan: Plan,
    version: Version,
    kinds: Mapping[str, Kind[KindConfig]],
    peers: Peers,
    tester: Tester,
) -> CompiledTests:
    """A check for each test of an agent, and the job that executes all of them."""
    name = names.dagster_name(plan.agent.name)
    asset = AssetSpec(
        AssetKey([name, ASSET]),
        group_name=name,
        kinds={"test", "agentflow"},
        owners=names.owners(plan),
        description="The tests in the agent's document. Nothing makes this asset; execute its "
        f"checks, or the job {names.tests_job_name(plan.agent.name)}.",
        metadata=references.code_references(version, "tests"),
    )
    checks = tuple(
        AssetChecksDefinition.create(
            keys_by_input_name={},
            node_def=OpDefinition(
                _body(plan, test, version=version, kinds=kinds, peers=peers, tester=tester),
                name=f"{name}__Test_{test}",  # No node's name has a capital.
                description=given.description or None,
                outs={_RESULT: Out(Nothing)},
                required_resource_keys=set(names.RUN_RESOURCES),
            ),
            check_specs_by_output_name={
                _RESULT: AssetCheckSpec(
                    test,
                    asset=asset.key,
                    description=given.description or None,
                    metadata={"node": given.node} if given.node else None,
                )
            },
            can_subset=False,
        )
        for test, given in plan.agent.spec.tests.items()
    )
    job = define_asset_job(
        names.tests_job_name(plan.agent.name),
        selection=AssetSelection.checks(*checks),
        description=f"Runs the tests in the document of {plan.agent.name!r}.",
        tags={names.TESTED_TAG: plan.agent.name, names.VERSION_TAG: version.hash},
        executor_def=in_process_executor,
    )
    return CompiledTests(asset, checks, job)


def _body(
    plan: Plan,
    test: str,
    *,
    version: Version,
    kinds: Mapping[str, Kind[KindConfig]],
    peers: Peers,
    tester: Tester,
) -> Callable[..., Iterator[object]]:
    """The function that Dagster calls for a test."""

    def compute(context: OpExecutionContext, inputs: object) -> Iterator[object]:
        del inputs
        stores: Stores = context.resources.stores.open()

        def find(reference: str) -> Plan:
            found = version_of(reference, peers, stores)
            try:
                return peers.compile(found).plan
            except DocumentError as problem:
                raise RunError(f"{reference!r}: {problem}", retryable=False) from None

        services = step_services(context.resources, kinds)
        report = run_step(tester.run(plan, test, services, find))
        told = tester.told(report)
        if told:
            context.log.warning(told)
        yield AssetCheckResult(
            asset_key=AssetKey([names.dagster_name(plan.agent.name), ASSET]),
            check_name=test,
            passed=report.passed,
            severity=AssetCheckSeverity.ERROR,
            description=told.partition("\n")[0] or None,
            metadata=_facts(report, told, version),
        )

    return unannotated(compute)


def _facts(report: TestReport, told: str, version: Version) -> dict[str, Any]:
    costs = [case.cost_usd for case in report.cases]
    known = [cost for cost in costs if cost is not None]
    facts: dict[str, Any] = {
        "version": version.hash,
        "cases": len(report.cases),
        "pass_rate": report.rate,
        "wanted_pass_rate": report.pass_rate,
        "seconds": report.seconds,
        "tokens": sum(case.tokens for case in report.cases),
    }
    if len(known) == len(costs):
        facts["cost_usd"] = float(sum(known))
    if told:
        facts["report"] = MetadataValue.md(f"```diff\n{told}\n```")
    return facts
