"""How long a run takes until its first step: stock Dagster beside forks of the warm parent.

    python benchmarks/start.py [--runs 9]

For each project a platform is brought up (PostgreSQL, a code server, Dagster's webserver, the warm
parent; no queue, so that a run starts as soon as it is launched), and one agent's runs are launched
over GraphQL, as the UI does. They take turns: one as stock Dagster starts it (the tag
`agentflow/lane: stock`), one forked, a second after the one before has ended: its process is then
gone, too. All else is the same for both. The projects:

- `1 agent`, `50 agents` in the code location;
- `imports litellm`: one agent, and a `definitions.py` that imports LiteLLM at its top, as those of
  Dagster projects that call models do.

The figures:

- `stock_s`, `process_s`: from before the launch is sent until the time that Dagster notes for the
  first `STEP_START`; medians, and the slowest;
- `ratio`: of the medians. `start.process_vs_stock` is that of one agent.

Stops what it starts. Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))
from deploy import prepared, told
from results import record

from agentflow_dagster.operations.components import WARM_LATER, Ports
from agentflow_dagster.operations.platform import Platform, start_platform
from agentflow_dagster.orchestration.client import FINISHED
from agentflow_dagster.orchestration.names import LANE_TAG

if TYPE_CHECKING:
    from agentflow_dagster.orchestration.lanes import Lane

LONGEST_SECONDS = 120.0
PAUSE_SECONDS = 1.0
TARGETS = {"start.process_vs_stock": 25}
LANES: tuple[Lane, ...] = ("stock", "warm")
AGENT = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: three-steps}
spec:
  nodes:
    first: {kind: transform.format, with: {template: "{{ v }}", values: {v: "{{'first'}}"}}}
    second: {kind: transform.format, after: [first], with: {template: second}}
    third: {kind: transform.format, after: [second], with: {template: third}}
"""
STARTED = """
query Started($id: ID!) {
  runOrError(runId: $id) {
    ... on Run {
      status
      eventConnection(limit: 1000) {
        events { __typename ... on ExecutionStepStartEvent { timestamp } }
      }
    }
  }
}"""


@dataclass(frozen=True, slots=True)
class Figures:
    """One project; seconds."""

    project: str
    stock_s: float
    stock_s_slowest: float
    process_s: float
    process_s_slowest: float
    ratio: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the start of runs.")
    parser.add_argument("--runs", type=int, default=9, help="runs of each to take the median of")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    figures = report(
        [
            measure("1 agent", 1, chosen.runs),
            measure("50 agents", 50, chosen.runs),
            measure("imports litellm", 1, chosen.runs, first="import litellm\n"),
        ]
    )
    record({"start.process_vs_stock": figures[0].ratio}, load=load)


def measure(name: str, agents: int, runs: int, *, first: str = "") -> Figures:
    """Brings a platform up and launches runs; `first` stands at the top of `definitions.py`."""
    with prepared(agents - 1, agents) as project:
        definitions = project.root / "definitions.py"
        definitions.write_text(f"{first}{definitions.read_text()}")
        (project.root / "notebooks" / "three_steps.agent.yaml").write_text(AGENT)
        ports = Ports.free(gateway=False)
        with start_platform(project, ports, progress=told, daemon=False) as platform:
            for lane in LANES:
                started(platform, lane)
            wait_for_imports(platform)
            rounds = [{lane: started(platform, lane) for lane in LANES} for _ in range(runs)]
    taken = {lane: [one[lane] for one in rounds] for lane in LANES}
    medians = {lane: statistics.median(taken[lane]) for lane in LANES}
    return Figures(
        project=name,
        stock_s=round(medians["stock"], 3),
        stock_s_slowest=round(max(taken["stock"]), 3),
        process_s=round(medians["warm"], 3),
        process_s_slowest=round(max(taken["warm"]), 3),
        ratio=round(medians["stock"] / medians["warm"], 1),
    )


def wait_for_imports(platform: Platform) -> None:
    """Returns once the warm parent has imported what it imports when nobody asks."""
    assert platform.processes is not None
    log = platform.processes.log("warm-parent")
    deadline = time.monotonic() + LONGEST_SECONDS
    while f"Imported {WARM_LATER[-1]}." not in log.read_text():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not imported after {LONGEST_SECONDS:g} s: {WARM_LATER[-1]}.")
        time.sleep(0.1)


def started(platform: Platform, lane: Lane) -> float:
    """Seconds from the launch until the first step; returns once the run has ended."""
    time.sleep(PAUSE_SECONDS)
    began = time.time()
    run_id = platform.client.launch("three-steps", {}, {LANE_TAG: lane})
    while (status := platform.client.run(run_id)["status"]) not in FINISHED:
        if time.time() - began > LONGEST_SECONDS:
            raise TimeoutError(f"Run {run_id} had not ended after {LONGEST_SECONDS:g} s.")
        time.sleep(0.05)
    if status != "SUCCESS":
        raise RuntimeError(f"Run {run_id} is {status}.")
    answer: Any = platform.client.http.post(
        f"{platform.client.url}/graphql", json={"query": STARTED, "variables": {"id": run_id}}
    ).json()
    events = answer["data"]["runOrError"]["eventConnection"]["events"]
    first = next(e for e in events if e["__typename"] == "ExecutionStepStartEvent")
    return float(first["timestamp"]) / 1000 - began


def report(figures: list[Figures]) -> list[Figures]:
    print("Launch until the first step, seconds")
    columns = list(Figures.__dataclass_fields__)
    print("".join(f"{name:>20}" for name in columns))
    for each in figures:
        print("".join(f"{getattr(each, name):20}" for name in columns))
    ratio = figures[0].ratio
    print(
        json.dumps(
            {
                "benchmark": "start",
                "cores": os.cpu_count(),
                "start.process_vs_stock": ratio,
                "targets": TARGETS,
                "met": ratio >= TARGETS["start.process_vs_stock"],
                "results": [asdict(each) for each in figures],
            }
        )
    )
    return figures


if __name__ == "__main__":
    main()
