"""Dagster's pages get the same answers about a run of the engine as about one of Dagster's own.

The questions are those of the pages themselves, read out of the installed webserver. What may
differ, beside times and ids:

- RunStartingEvent, resources' EngineEvents and LogsCapturedEvent, as `test_lanes.py` says why;
- with them, which file a step's output was captured in;
- the stack of an error, which is the executor's;
- the order of the events of steps that do not wait for each other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from dagster._core.test_utils import in_process_test_workspace
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_graphql.test.utils import execute_dagster_graphql

from tests.conformance.records import NOT_OF_BOTH, made
from tests.conformance.test_lanes import DIAMOND, HANDLED, failing
from tests.conformance.ui_queries import query
from tests.orchestration import lane, samples, served
from tests.orchestration.bench import Bench, loading
from tests.orchestration.conftest import empty
from tests.orchestration.samples import agent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Ran

OF_RUN = (
    *("RunRootQuery", "RunLogsQuery", "RunStatsQuery", "RunStepStatsQuery"),
    *("StepSummaryForRunQuery", "RunAssetsQuery", "RunAssetChecksQuery", "RunActionsMenuQuery"),
    *("RunGroupPanelQuery", "RunReExecutionQuery", "ConfigForRunQuery", "PipelineEnvironmentQuery"),
)
"""The run's page: its head, its events and the Gantt chart of its steps."""
OF_RUNS = ("RunsFeedRootQuery", "RunTagKeysQuery", "RunTagValuesQuery", "CompletedRunTimelineQuery")
OF_ASSETS = (
    *("AssetGraphLiveQuery", "AssetStaleStatusQuery", "AssetStaleStatusDataQuery"),
    *("AssetHealthQuery", "AssetsFreshnessInfoQuery", "LaunchAssetWarningsQuery"),
)
"""The graph of assets."""
OF_ASSET = (
    *("AssetViewDefinitionQuery", "RecentAssetEventsQuery", "AssetOverviewMetadataEventsQuery"),
    *("AssetMaterializationUpstreamQuery", "SidebarAssetQuery", "SingleNonSDAAssetQuery"),
    *("RecentAssetEventsForCatalogViewQuery", "LatestAssetPartitionsQuery"),
)
_NOT_OF_BOTH = {*NOT_OF_BOTH, "RUN_STARTING"}
"""By the pages' names of them."""
_TIMES = re.compile(r"(?i).*(time|timestamp|duration|cursor|stack)$|unixTime|storageId")
_SPENT = re.compile(r"(in |pid: )[\d.]+(ms|s|m|h)?|(\d+m)?[\d.]+ms")


def answers(bench: Bench, ran: Ran) -> dict[str, Any]:
    """What the pages are told, by the name of the question (and asset)."""
    keys = [{"path": list(key.path)} for key in sorted(ran.materializations)]
    told: dict[str, Any] = {}
    served.at_work[:] = [bench]
    origin = LoadableTargetOrigin(module_name=served.__name__, attribute="defs")
    with loading(), in_process_test_workspace(bench.instance, origin) as workspace:

        def ask(name: str, about: str = "", **variables: object) -> Any:
            answer = execute_dagster_graphql(workspace, query(name), variables)
            told[f"{name} {about}".strip()] = plain(answer.data, ran)

        for name in OF_RUN:
            ask(name, runId=ran.run_id, limit=1000)
        feed: dict[str, Any] = {
            "limit": 25,
            "view": "RUNS",
            "tagKeys": ["agentflow/agent", "agentflow/version"],
        }
        for name in OF_RUNS:
            ask(name, **feed, completedFilter={"statuses": ["SUCCESS", "FAILURE"]})
        for name in OF_ASSETS:
            ask(name, assetKeys=keys, upstreamAssetKeys=keys)
        for key in keys:
            variables: dict[str, Any] = {
                "eventTypeSelectors": ["MATERIALIZATION"],
                "timestamp": str(int(ran.events[-1].timestamp * 1000) + 1000),
            }
            for name in OF_ASSET:
                ask(name, "/".join(key["path"]), assetKey=key, input=key, limit=10, **variables)
    return told


def plain(answer: Any, ran: Ran) -> Any:
    """An answer without what may differ."""

    pointers = {str(id_): f"event of {key}" for id_, key in made(ran).items()}

    def walk(value: Any) -> Any:
        match value:
            case {"label": "latency_ms" | "pid" as free}:
                return free
            case {"key": str(key), "value": str(id_)} if "input_event_pointer" in key:
                return {**value, "value": pointers.get(id_, id_)}
            case dict():
                return {
                    k: "…" if _TIMES.fullmatch(k) and inner is not None else walk(inner)
                    for k, inner in value.items()
                }
            case [{"stepKey": _}, *_]:
                kept = [walk(one) for one in value if one.get("eventType") not in _NOT_OF_BOTH]
                return sorted(kept, key=lambda one: one["stepKey"] or "")
            case list():
                return [walk(inner) for inner in value]
            case str():
                return _SPENT.sub("…", value.replace(ran.run_id, "RUN"))
            case _:
                return value

    return walk(answer)


def asked_of_both(
    bench: Bench,
    serve: Callable[[], object],
    name: str,
    input_: JsonObject,
    then: Callable[[], object] = lambda: None,
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The answers about the same run in the engine lane and by Dagster, each on an empty instance.

    Args:
        bench: Where they run.
        serve: Serves the agent, and says what its model answers.
        name: The agent.
        input_: Its input.
        then: What is done between the run and the questions.
    """
    told: list[Mapping[str, Any]] = []
    for run in (lane.run, Bench.run):
        empty(bench)
        serve()
        ran = run(bench, name, input_)
        then()
        told.append(answers(bench, ran))
    return told[0], told[1]


def differences(ours: Any, stock: Any, where: str = "") -> list[str]:
    """Where two answers differ, by the way to it."""
    match ours, stock:
        case dict(), dict() if ours.keys() == stock.keys():
            return [d for k in ours for d in differences(ours[k], stock[k], f"{where}/{k}")]
        case list(), list() if len(ours) == len(stock):
            pairs = enumerate(zip(ours, stock, strict=True))
            return [d for n, (a, b) in pairs for d in differences(a, b, f"{where}/{n}")]
        case _:
            return [] if ours == stock else [f"{where}: {ours!r}, stock {stock!r}"]


def test_a_run_that_succeeds(bench: Bench) -> None:
    ours, stock = asked_of_both(
        bench, lambda: bench.serve(samples.TRIAGE), "support-triage", {"body": "a bug"}
    )
    assert differences(ours, stock) == []
    assert len(ours["RunLogsQuery"]["logsForRun"]["events"]) > 20
    assert {one["staleStatus"] for one in _assets(ours)} == {"FRESH"}


@pytest.mark.soak
@pytest.mark.parametrize("times", [1, 2])
def test_a_run_with_retries_and_an_error_that_is_handled(bench: Bench, times: int) -> None:
    def serve() -> None:
        bench.serve(agent("handled", HANDLED))
        failing(bench, "shaky", times)

    ours, stock = asked_of_both(bench, serve, "handled", {})
    assert differences(ours, stock) == []


def test_a_run_that_fails(bench: Bench) -> None:
    def serve() -> None:
        bench.serve(agent("diamond", DIAMOND))
        failing(bench, "left fine", 1)

    ours, stock = asked_of_both(bench, serve, "diamond", {})
    assert differences(ours, stock) == []
    assert ours["RunRootQuery"]["pipelineRunOrError"]["status"] == "FAILURE"


def test_an_agent_that_has_changed_since(bench: Bench) -> None:
    """What was made before the change is stale, and says for which reason."""
    ours, stock = asked_of_both(
        bench,
        lambda: bench.serve(samples.TRIAGE),
        "support-triage",
        {"body": "a bug"},
        then=lambda: bench.serve(samples.TRIAGE.replace("file {{", "note {{")),
    )
    assert differences(ours, stock) == []
    stale = {one["assetKey"]["path"][-1]: one["staleStatus"] for one in _assets(ours)}
    assert stale == {"classify": "FRESH", "file_bug": "STALE", "done": "STALE"}


def _assets(told: Mapping[str, Any]) -> list[Any]:
    return told["AssetStaleStatusDataQuery"]["assetNodes"]
