"""Measures how long a code location of many agents takes to load, and how large it is.

    python benchmarks/compile.py [--runs 3] [AGENTS ...]

Each agent has eight nodes: two that ask a model, a switch, four branches, a merge; a schedule and a
webhook. No two share an expression. Every size is measured in processes of its own, of which the
fastest counts, from stored documents to what a code server hands to the webserver:

- `plan`: documents parsed, checked and planned;
- `compile`: plans made Dagster definitions;
- `repository`: Dagster builds its repository and every job;
- `snapshot`: what the webserver is sent, and its size.

Beside it stands stock Dagster: as many jobs of eight plain assets with a schedule and a sensor
each, from decorators to snapshot. Importing comes before all this and is told apart. Prints a
table, in which stands too what an agent costs at each size as a ratio of what it costs at the
first, and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import dagster
    from dagster import RepositoryDefinition

    from agentflow_dagster.ports.stores import Version
    from agentflow_dagster.spec.values import JsonObject

SIZES = (1, 10, 50)
NODES = 8
STEPS = ("plan", "compile", "repository", "snapshot")


@dataclass(frozen=True, slots=True)
class Figures:
    """One size; seconds, megabytes of JSON, and mebibytes of resident memory at the end.

    `stock` is what as much takes in stock Dagster.
    """

    agents: int
    imports: float
    plan: float
    compile: float
    repository: float
    snapshot: float
    megabytes: float
    resident: float
    stock: float = 0.0

    @property
    def load(self) -> float:
        """Seconds from documents to snapshot."""
        return self.plan + self.compile + self.repository + self.snapshot


def main() -> None:
    parser = argparse.ArgumentParser(description="Load time of a code location.")
    parser.add_argument("agents", nargs="*", type=int, default=list(SIZES), help="how many")
    parser.add_argument("--runs", type=int, default=3, help="processes of which the fastest counts")
    parser.add_argument("--measure", choices=("ours", "stock"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        (size,) = chosen.agents
        told = asdict(measure(size)) if chosen.measure == "ours" else measure_stock(size)
        print(json.dumps(told))
        return
    figures = [_fastest(size, chosen.runs) for size in chosen.agents]
    _print(figures)
    print(json.dumps([{**asdict(f), "load": f.load} for f in figures]))


def measure(agents: int) -> Figures:
    """Loads a location of so many agents in this process."""
    started = time.perf_counter()
    from agentflow_dagster.graph.check import plan_of
    from agentflow_dagster.nodes import builtin_kinds
    from agentflow_dagster.orchestration.compile import compile_agent
    from agentflow_dagster.orchestration.location import Definitions, peers_of
    from agentflow_dagster.orchestration.triggers import schedules, sensor

    imported = time.perf_counter()
    kinds = builtin_kinds()
    versions = [version(number) for number in range(agents)]
    times = [time.perf_counter()]
    plans = [plan_of(v.document, kinds) for v in versions]
    times.append(time.perf_counter())
    peers = peers_of({version.agent: version for version in versions}, kinds)
    compiled = [compile_agent(p, v, kinds, peers) for p, v in zip(plans, versions, strict=True)]
    times.append(time.perf_counter())
    definitions = Definitions(
        assets=[assets for agent in compiled for assets in agent.assets],
        jobs=[agent.job for agent in compiled],
        schedules=[s for agent in compiled for s in schedules(agent, running=True)],
        sensors=[s for agent in compiled if (s := sensor(agent, running=True))],
        resources=dict.fromkeys(("model", "code", "secrets", "stores"), "none"),
    )
    repository = definitions.get_repository_def()
    repository.get_all_jobs()
    times.append(time.perf_counter())
    size = snapshot_bytes(repository)
    times.append(time.perf_counter())
    plan, compile_, build, snapshot = (b - a for a, b in pairwise(times))
    return Figures(
        agents, imported - started, plan, compile_, build, snapshot, size / 1e6, _resident()
    )


def measure_stock(agents: int) -> float:
    """Seconds that stock Dagster takes for as many jobs of as many assets."""
    import dagster

    def skip(context: Any) -> Any:
        return dagster.SkipReason(context.sensor_name)

    began = time.perf_counter()
    assets: list[dagster.AssetsDefinition] = []
    jobs: list[Any] = []
    for number in range(agents):
        names = [f"node_{i}" for i in range(NODES)]
        made = [_stock_asset(f"agent_{number:03d}", names, i) for i in range(NODES)]
        selection = dagster.AssetSelection.assets(*made)
        name = f"agent_{number:03d}_job"
        jobs.append(cast("Any", dagster).define_asset_job(name, selection=selection))
        assets += made
    definitions = dagster.Definitions(
        assets=assets,
        jobs=jobs,
        schedules=[dagster.ScheduleDefinition(job=j, cron_schedule="0 9 * * *") for j in jobs],
        sensors=[dagster.SensorDefinition(f"{j.name}_s", job=j, evaluation_fn=skip) for j in jobs],
    )
    repository = definitions.get_repository_def()
    repository.get_all_jobs()
    snapshot_bytes(repository)
    return time.perf_counter() - began


def _stock_asset(group: str, names: list[str], index: int) -> dagster.AssetsDefinition:
    import dagster

    def compute() -> None:
        pass

    deps = [dagster.AssetKey([group, name]) for name in names[max(0, index - 1) : index]]
    made = dagster.asset(name=names[index], key_prefix=group, group_name=group, deps=deps)
    return made(compute)


def snapshot_bytes(repository: RepositoryDefinition) -> int:
    """The size of what the webserver is sent of a location."""
    from dagster._core.remote_representation.external_data import JobDataSnap, RepositorySnap
    from dagster_shared.serdes import serialize_value

    jobs = [
        JobDataSnap.from_job_def(job, include_parent_snapshot=True)
        for job in repository.get_all_jobs()
    ]
    return sum(map(len, map(serialize_value, [RepositorySnap.from_def(repository), *jobs])))


def version(number: int) -> Version:
    """The stored version of one agent, unlike every other."""
    from agentflow_dagster.ports.stores import Version, VersionHash

    name = f"agent-{number:03d}"
    return Version(
        hash=VersionHash(f"{number:064x}"),
        agent=name,
        number=1,
        document=document(name, number),
        source={"file": f"notebooks/{name}.agent.yaml", "positions": {}},
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def document(name: str, number: int) -> JsonObject:
    """An agent of eight nodes."""
    branches: JsonObject = {
        f"branch_{i}": {
            "kind": "ai.chat",
            "after": [f"route.way_{i}"],
            "with": {"prompt": f"{number}.{i} {{{{input.body + ' {number}.{i}'}}}}"},
        }
        for i in range(4)
    }
    cases: JsonObject = {
        f"way_{i}": f"{{{{classify.output.text == 'way {number}.{i}'}}}}" for i in range(3)
    }
    return {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": name, "description": f"Number {number}", "labels": {"team": "bench"}},
        "spec": {
            "inputs": {
                "type": "object",
                "required": ["body"],
                "properties": {
                    "subject": {"type": "string", "default": ""},
                    "body": {"type": "string"},
                },
            },
            "triggers": {
                "calls": {
                    "webhook": {"path": f"/{name}"},
                    "input": {"body": f"{{{{event.body.text + '{number}'}}}}"},
                },
                "daily": {"schedule": {"cron": "0 9 * * *"}, "input": {"body": "daily"}},
            },
            "nodes": {
                "read": {"kind": "ai.chat", "with": {"prompt": f"{number} {{{{input.body}}}}"}},
                "classify": {
                    "kind": "ai.chat",
                    "with": {"prompt": f"{{{{read.output.text + '{number}'}}}}"},
                },
                "route": {"kind": "logic.switch", "with": {"cases": cases, "default": "way_3"}},
                **branches,
                "done": {"kind": "logic.merge", "join": "any", "with": {"from": [*branches]}},
            },
            "outputs": {"answer": "{{done.output.text}}"},
        },
    }


def _resident() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _fastest(agents: int, runs: int) -> Figures:
    ours = [Figures(**_in_a_process_of_its_own("ours", agents)) for _ in range(runs)]
    stock = [float(_in_a_process_of_its_own("stock", agents)) for _ in range(runs)]
    return replace(min(ours, key=lambda f: f.load), stock=min(stock))


def _in_a_process_of_its_own(what: str, agents: int) -> Any:
    command = [sys.executable, __file__, "--measure", what, str(agents)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(told.splitlines()[-1])


def _print(figures: list[Figures]) -> None:
    first = figures[0]
    columns = (*STEPS, "load", "stock")
    print(
        f"{NODES} nodes an agent; seconds (x: what one agent costs, as a ratio of the first row's)"
    )
    print("agents  import" + "".join(f"{name:>18}" for name in columns) + "      MB     MiB")
    for f in figures:
        cells = "".join(
            f"{getattr(f, name):10.3f} x{_per_agent(f, name) / _per_agent(first, name):<6.2f}"
            for name in columns
        )
        print(f"{f.agents:6}{f.imports:8.2f}{cells}{f.megabytes:8.2f}{f.resident:8.0f}")


def _per_agent(figures: Figures, column: str) -> float:
    return float(getattr(figures, column)) / figures.agents


if __name__ == "__main__":
    main()
