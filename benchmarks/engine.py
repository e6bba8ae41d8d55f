"""What the engine lane does in a second, and what a step costs in it.

    python benchmarks/engine.py [--most 10000]

One engine in this process, on an embedded PostgreSQL of its own; agents whose steps ask a model
that answers after a while. Every run, event and output is durable, as in production:

- `throughput.runs_per_s`: agents of three nodes whose model answers at once, 2,000 together;
- `step.overhead_p50_ms`, `step.overhead_p99_ms`: agents of ten nodes in a row, 100 begun a second
  for five seconds; from a model's answer to the next node's question;
- `start.engine_p50_ms`, `start.engine_p99_ms`: of the same runs, from asking for one until its
  first node asks its model;
- `burst.*`: 1, 10 … 10,000 agents of three nodes asked for at once, two seconds a step: until their
  first steps have begun, all of it, and how far this process grew;
- `concurrent.max`: how many of the 10,000 Dagster has as SUCCESS with every event;
- `memory.kib_per_waiting_run`: by how much this process grew for each of as many runs that are in
  their first step.

Prints a table and one line of JSON, and keeps the figures (results.py).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).parent))
from results import GROWTH, record

from agentflow_dagster.engine.redaction_rules import Rules
from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.orchestration.engine_lane.engine import Engine, Workshop
from agentflow_dagster.orchestration.engine_lane.runs import Desk, Execution
from agentflow_dagster.orchestration.engine_lane.serving import collect_seldom
from agentflow_dagster.orchestration.engine_lane.writer import Writer
from agentflow_dagster.orchestration.instance import (
    DATABASE_VARIABLE,
    prepare_instance,
    write_instance,
)
from agentflow_dagster.orchestration.location import compile_version
from agentflow_dagster.orchestration.op import step_services
from agentflow_dagster.ports.model import ModelReply, Usage
from agentflow_dagster.spec.canonical import content_hash, to_json
from agentflow_dagster.stores import database_url, open_stores
from agentflow_dagster.stores.connection import connect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from dagster import DagsterRun

    from agentflow_dagster.orchestration.engine_lane.blueprint import Blueprint
    from agentflow_dagster.ports.model import ModelRequest
    from agentflow_dagster.spec.values import JsonObject

USAGE = Usage(7, 3, Decimal("0.0005"), 1.0, "bench", "bench")


@dataclass
class SlowModel:
    """Answers after a while, and notes when it was asked and when it answered."""

    seconds: float = 0.0
    asked: dict[str, list[float]] = field(default_factory=dict[str, "list[float]"])
    answered: dict[str, list[float]] = field(default_factory=dict[str, "list[float]"])

    async def complete(self, request: ModelRequest) -> ModelReply:
        run = request.messages[-1].content.split(" ")[0]
        self.asked.setdefault(run, []).append(time.perf_counter())
        if self.seconds:
            await asyncio.sleep(self.seconds)
        self.answered.setdefault(run, []).append(time.perf_counter())
        return ModelReply("fine", None, USAGE)


def chain(name: str, nodes: int) -> JsonObject:
    """An agent of nodes in a row."""
    steps: dict[str, Any] = {}
    for number in range(nodes):
        steps[f"n{number}"] = {
            "kind": "ai.chat",
            "with": {"prompt": "{{run.id}} {{input.text}}"},
            **({"after": [f"n{number - 1}"]} if number else {}),
        }
    return {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": name},
        "spec": {
            "inputs": {"type": "object", "properties": {"text": {"type": "string"}}},
            "nodes": steps,
        },
    }


@dataclass(frozen=True)
class Bench:
    """An engine's parts."""

    desk: Desk
    workshop: Workshop
    engine: Engine
    model: SlowModel

    def blueprint(self, document: JsonObject) -> Blueprint:
        kinds = builtin_kinds()
        agent = plan_of(document, kinds).agent
        stored = self.workshop.versions.put(
            agent.name, cast("Any", content_hash(agent)), to_json(agent), {}
        )
        return self.workshop.blueprint(stored.hash)

    async def run(self, made: Blueprint) -> str:
        """Carries out one new run; its id."""
        run_id = str(uuid.uuid4())
        await self.begin(made, run_id)
        return run_id

    async def begin(self, made: Blueprint, run_id: str) -> None:
        """Carries out a new run as the engine does, which has more to look up before."""
        await self.desk.writer.turn()
        run = new_run(made, run_id)
        await Execution(self.desk, made, run).begin({"text": "x"}, new=True)


def new_run(made: Blueprint, run_id: str) -> DagsterRun:
    """A run of a version that Dagster does not know of."""
    return cast("Any", made.run)._replace(run_id=run_id)


def _handing_out(model: SlowModel) -> Callable[[object], SlowModel]:
    return lambda _: model


@asynccontextmanager
async def bench(folder: Path) -> AsyncGenerator[Bench]:
    """An engine on a database of its own."""
    from dagster import DagsterInstance

    async with AsyncExitStack() as stack:
        url = stack.enter_context(database_url(folder, {}))
        os.environ[DATABASE_VARIABLE] = url
        home = write_instance(folder, queued=False)
        prepare_instance(home, url)
        stores = stack.enter_context(open_stores(url, folder / "artifacts"))
        instance = stack.enter_context(DagsterInstance.from_config(str(home)))
        kinds = builtin_kinds()
        model = SlowModel()
        handed: Any = SimpleNamespace(adapter=_handing_out(model), redaction=Rules)
        code: Any = SimpleNamespace(adapter=lambda: None, notebooks=lambda: None, data=lambda: None)
        secrets: Any = SimpleNamespace(adapter=lambda: EnvironmentSecrets({}), environment=dict)
        kept: Any = SimpleNamespace(open=lambda: stores)
        resources = {"model": handed, "code": code, "secrets": secrets, "stores": kept}
        writer = Writer(lambda: connect(url))
        work = asyncio.create_task(writer.run())
        stack.callback(work.cancel)
        workshop = Workshop(
            instance, stores.versions, lambda v: compile_version(v, kinds), resources
        )
        collect_seldom()
        services = step_services(SimpleNamespace(**resources), kinds)
        desk = Desk(services, writer, stores.steps, stores.waits, stores.texts)
        yield Bench(desk, workshop, Engine(desk, workshop), model)


async def throughput(one: Bench, runs: int) -> dict[str, float]:
    made = one.blueprint(chain("three", 3))
    await one.run(made)
    began = time.perf_counter()
    await asyncio.gather(*(one.run(made) for _ in range(runs)))
    return {"throughput.runs_per_s": runs / (time.perf_counter() - began)}


async def steps(one: Bench, *, rate: int, seconds: float) -> dict[str, float]:
    made = one.blueprint(chain("ten", 10))
    await one.run(made)
    one.model.seconds = 0.02
    starts: dict[str, float] = {}

    async def started(number: int) -> None:
        await asyncio.sleep(number / rate)
        run_id = str(uuid.uuid4())
        starts[run_id] = time.perf_counter()
        await one.begin(made, run_id)

    await asyncio.gather(*(started(number) for number in range(int(rate * seconds))))
    one.model.seconds = 0.0
    first = sorted((one.model.asked[r][0] - at) * 1000 for r, at in starts.items())
    between = sorted(
        (asked - answered) * 1000
        for r in starts
        for answered, asked in zip(one.model.answered[r], one.model.asked[r][1:], strict=False)
    )
    return {
        "start.engine_p50_ms": statistics.median(first),
        "start.engine_p99_ms": first[int(len(first) * 0.99) - 1],
        "step.overhead_p50_ms": statistics.median(between),
        "step.overhead_p99_ms": between[int(len(between) * 0.99) - 1],
    }


async def burst(one: Bench, runs: int) -> dict[str, float]:
    made = one.blueprint(chain("burst", 3))
    await one.run(made)
    one.model.seconds = 2.0
    process = psutil.Process()
    before = process.memory_info().rss
    peak = [before]

    async def watch() -> None:
        while True:
            peak[0] = max(peak[0], process.memory_info().rss)
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    ids = await asyncio.gather(*(one.run(made) for _ in range(runs)))
    took = time.perf_counter() - began
    watching.cancel()
    one.model.seconds = 0.0
    first = sorted(one.model.asked[r][0] - began for r in ids)
    return {
        f"burst.{runs}_first_step_p99_s": first[max(0, int(len(first) * 0.99) - 1)],
        f"burst.{runs}_total_s": took,
        f"burst.{runs}_peak_mb": (peak[0] - before) / 2**20,
    }


async def recorded(runs: int) -> dict[str, float]:
    """How many of the last runs Dagster has from beginning to end: each as SUCCESS, with as many
    events as the others."""
    connection = await connect(os.environ[DATABASE_VARIABLE])
    try:
        rows = await connection.fetch(
            "SELECT events, count(*) AS runs FROM (SELECT count(*) AS events FROM event_logs"
            " WHERE run_id IN (SELECT run_id FROM runs WHERE pipeline_name = 'burst_job'"
            " AND status = 'SUCCESS' ORDER BY id DESC LIMIT $1) GROUP BY run_id) AS each"
            " GROUP BY events ORDER BY runs DESC LIMIT 1",
            runs,
        )
    finally:
        connection.terminate()
    return {"concurrent.max": rows[0]["runs"]}


async def memory(one: Bench, runs: int) -> dict[str, float]:
    made = one.blueprint(chain("waiting", 3))
    await one.run(made)
    gc.collect()
    before = psutil.Process().memory_info().rss
    one.model.seconds = 3600.0
    begun = len(one.model.asked)
    waiting = [asyncio.create_task(one.run(made)) for _ in range(runs)]
    while len(one.model.asked) < begun + runs:  # noqa: ASYNC110 - of others
        await asyncio.sleep(0.1)
    grown = psutil.Process().memory_info().rss - before
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)
    one.model.seconds = 0.0
    return {"memory.kib_per_waiting_run": grown / 1024 / runs}


async def measured(folder: Path, most: int) -> dict[str, float]:
    async with bench(folder) as one:
        found = await throughput(one, 2000)
        found |= await steps(one, rate=100, seconds=5)
        for runs in GROWTH:
            if runs <= most:
                found |= await burst(one, runs)
        found |= await recorded(most)
    return {name: round(value, 2) for name, value in found.items()}


async def measured_alone(folder: Path, most: int) -> dict[str, float]:
    """What takes a process of its own: Python gives little back that it has taken before."""
    async with bench(folder) as one:
        return {name: round(value, 2) for name, value in (await memory(one, most)).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the engine lane.")
    parser.add_argument("--most", type=int, default=10_000, help="most runs that are begun at once")
    parser.add_argument("--memory", action="store_true", help="measure that alone")
    chosen = parser.parse_args()
    if not chosen.memory:
        again = [sys.executable, __file__, "--memory", "--most", str(chosen.most)]
        subprocess.run(again, check=True, timeout=600)
    measure = measured_alone if chosen.memory else measured
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="agentflow-bench-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o711)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            found = runner.run(measure(Path(made), chosen.most))
    for name, value in found.items():
        print(f"{name:34} {value:>10}")
    print(json.dumps({"engine": found, "load": round(load, 1)}))
    record(found, load=load)


if __name__ == "__main__":
    sys.exit(main())
