"""What callers of a running project see: starts, acknowledgements, recovery, the page of runs.

    python benchmarks/service.py

A project is brought up on its own database, first without the daemon, so that stock Dagster's runs
start as soon as they are launched, then as `agentflow up` does:

- `start.engine_vs_stock`: a run is launched over GraphQL as stock Dagster starts it, and one asked
  for by a POST to the front door; from before the request is sent until the time that Dagster notes
  for the first `STEP_START`. The ratio of the medians `start.stock_ms` and `start.webhook_ms`, of
  calls a tenth of a second apart; `start.webhook_rested_ms` is that of calls two seconds apart;
- `webhook.p99_ms`: 200 POSTs a second for ten seconds, each until its 202, the runs
  carried out meanwhile; `webhook.left_to_sensors` of them found the front door's queue
  full, `webhook.refused` a busy door (503), and came again;
- `recovery.first_step_s`: `kill -9` of the engine while 200 runs wait for an HTTP server, until the
  next engine asks it; `recovery.all_steps_s`: until it has asked for all 200. The platform watches
  over its processes as `agentflow up` does;
- `history.runs_page_ms`: the query of Dagster's page of runs, among 100,000; the median of 20. The
  tables are vacuumed first, as PostgreSQL by itself does a minute after so many rows have come:
  until then it reads all of them to count the runs.

Stops what it starts. Prints the figures and one line of JSON, and keeps them (results.py).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import httpx
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent))
from deploy import prepared, told
from results import record

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.components import Ports
from agentflow_dagster.operations.platform import Platform, start_platform
from agentflow_dagster.operations.token import project_token
from agentflow_dagster.orchestration.client import FINISHED
from agentflow_dagster.orchestration.names import LANE_TAG
from agentflow_dagster.spec.canonical import content_hash, to_json
from agentflow_dagster.stores import database_url, open_stores
from agentflow_dagster.stores.engine import create_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.spec.values import JsonObject

LONGEST_SECONDS = 120.0
IN_FLIGHT = 200
HISTORY = 100_000
PAGE = """
query Page($limit: Int!) {
  runsFeedOrError(limit: $limit, view: RUNS) {
    ... on RunsFeedConnection {
      cursor hasMore
      results {
        id
        ... on Run {
          runId jobName runStatus creationTime startTime endTime updateTime
          tags { key value }
          assetSelection { path }
          repositoryOrigin { repositoryName repositoryLocationName }
        }
      }
    }
  }
  runsFeedCountOrError(view: RUNS) { ... on RunsFeedCount { count } }
}"""
MORE_RUNS = """
INSERT INTO runs (run_id, snapshot_id, pipeline_name, status, run_body, create_timestamp,
  update_timestamp, start_time, end_time)
SELECT new.id, snapshot_id, pipeline_name, status, replace(run_body, run_id, new.id),
  create_timestamp - number * interval '1 minute', update_timestamp, start_time, end_time
FROM runs, (SELECT number, gen_random_uuid()::text AS id FROM generate_series(1, :more) AS number)
  AS new
WHERE run_id = :like"""
MORE_TAGS = """
INSERT INTO run_tags (run_id, key, value)
SELECT runs.run_id, tags.key, tags.value FROM runs, run_tags AS tags
WHERE tags.run_id = :like AND NOT EXISTS (SELECT 1 FROM run_tags WHERE run_id = runs.run_id)"""
FIRST_STEP = """
SELECT extract(epoch FROM min(timestamp) AT TIME ZONE 'UTC') FROM event_logs
WHERE run_id = :run_id AND dagster_event_type = 'STEP_START'"""


@dataclass
class Waiting:
    """An HTTP server that lets everybody wait, and notes when it was asked."""

    url: str = ""
    asked: list[float] = field(default_factory=list[float])

    @contextmanager
    def listening(self) -> Generator[None]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()

        async def begin() -> asyncio.Server:
            return await asyncio.start_server(self._heard, "127.0.0.1", 0)

        server = asyncio.run_coroutine_threadsafe(begin(), loop).result()
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            yield
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    async def _heard(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.append(time.monotonic())
        await reader.read()  # Until who asked has gone.
        writer.close()


def hooked(name: str, nodes: JsonObject) -> JsonObject:
    """An agent that listens at `/hooks/NAME`."""
    return {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": name},
        "spec": {
            "config": {"maxConcurrentExecutions": 1000},
            "triggers": {"call": {"webhook": {"path": f"/{name}"}}},
            "nodes": nodes,
        },
    }


def deploy(project: Project, documents: list[JsonObject]) -> None:
    kinds = builtin_kinds()
    with (
        database_url(project.home, project.variables) as url,
        open_stores(url, project.artifacts) as stores,
    ):
        for document in documents:
            agent = plan_of(document, kinds).agent
            stored = stores.versions.put(
                agent.name, cast("Any", content_hash(agent)), to_json(agent), {}
            )
            stores.versions.deploy(project.environment, stored.hash)


@dataclass(frozen=True)
class Service:
    """A running project, and its database."""

    project: Project
    platform: Platform
    database: sa.Engine

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {project_token(self.project)}"}

    def hook(self, agent: str) -> str:
        return f"{self.platform.gateway}/hooks/{agent}"

    def one(self, statement: str, **values: object) -> Any:
        """The first value of a statement's answer."""
        with self.database.connect() as connection:
            return connection.execute(sa.text(statement), values).scalar()

    def until(self, condition: Callable[[], bool], *, every: float = 0.05) -> None:
        deadline = time.monotonic() + LONGEST_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"It was not so after {LONGEST_SECONDS:g} s.")
            time.sleep(every)


def first_step(service: Service, run_id: str) -> float:
    """When a run's first step began (Unix seconds), once the run has ended."""
    ended = "SELECT status FROM runs WHERE run_id = :id"
    service.until(lambda: service.one(ended, id=run_id) in FINISHED)
    return float(service.one(FIRST_STEP, run_id=run_id))


def stock_starts(service: Service, runs: int = 9) -> float:
    """How long a run takes until its first step as stock Dagster starts it; the median, ms."""

    def one() -> float:
        began = time.time()
        run_id = service.platform.client.launch("quick", {}, {LANE_TAG: "stock"})
        return first_step(service, run_id) - began

    one()
    return statistics.median(one() for _ in range(runs)) * 1000


def starts(service: Service, of_stock: float, runs: int = 9) -> dict[str, float]:
    """The same by a webhook, and the engine: one after the other, and each after two seconds in
    which what is known of the agent has grown old."""
    client = httpx.Client(headers=service.headers)  # To make one takes longer than to ask.

    def one() -> float:
        began = time.time()
        answer = client.post(service.hook("quick"), json={})
        event_id = answer.raise_for_status().json()["event_id"]
        run_of = "SELECT run_id FROM agentflow.inbox WHERE id = :id"
        service.until(lambda: bool(service.one(run_of, id=event_id)))
        return first_step(service, service.one(run_of, id=event_id)) - began

    with client:
        one()
        of_ours = statistics.median(one() for _ in range(runs)) * 1000
        rested: list[float] = []
        for _ in range(runs):
            time.sleep(2)
            rested.append(one() * 1000)
    return {
        "start.stock_ms": of_stock,
        "start.webhook_ms": of_ours,
        "start.webhook_rested_ms": statistics.median(rested),
        "start.engine_vs_stock": of_stock / of_ours,
    }


async def webhooks(service: Service, *, rate: int = 200, seconds: int = 10) -> dict[str, float]:
    """How long an acknowledgement takes; returns once all runs have ended."""
    taken: list[float] = []
    refused: list[int] = []
    hook = service.hook("quick")
    # Its parser is compiled: who calls takes little of what whoever answers has.
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=100), headers=service.headers
    ) as client:

        async def post(number: int) -> None:
            await asyncio.sleep(number / rate)
            began = time.perf_counter()
            while True:  # A door that is too busy says so; its caller comes again, and has waited.
                async with client.post(hook, json={"number": number}) as answer:
                    await answer.read()
                if answer.status != 503:
                    break
                refused.append(number)
            answer.raise_for_status()
            taken.append((time.perf_counter() - began) * 1000)

        await asyncio.gather(*(post(number) for number in range(rate * seconds)))
    pending = "SELECT count(*) FROM agentflow.inbox WHERE state = 'pending'"
    left = [int(service.one(pending)), -1]
    while left[-1] != left[-2] and left[-1] != 0:  # Those past the front door's queue stay.
        await asyncio.sleep(2)
        left.append(int(service.one(pending)))
    taken.sort()
    return {
        "webhook.p50_ms": statistics.median(taken),
        "webhook.p99_ms": taken[int(len(taken) * 0.99) - 1],
        "webhook.left_to_sensors": left[-1],
        "webhook.refused": len(refused),
    }


def recovery(service: Service, waiting: Waiting) -> dict[str, float]:
    """How long runs stand still after the engine was killed."""
    assert service.platform.processes is not None
    with httpx.Client(headers=service.headers, timeout=60) as client:
        for _ in range(IN_FLIGHT):
            client.post(service.hook("waits"), json={}).raise_for_status()
    service.until(lambda: len(waiting.asked) == IN_FLIGHT)
    threading.Thread(target=watched, args=[service], daemon=True).start()
    os.killpg(service.platform.processes.pid("engine"), signal.SIGKILL)
    killed = time.monotonic()
    service.until(lambda: len(waiting.asked) == 2 * IN_FLIGHT)
    again = waiting.asked[IN_FLIGHT:]
    return {
        "recovery.first_step_s": again[0] - killed,
        "recovery.all_steps_s": again[-1] - killed,
    }


def watched(service: Service) -> None:
    """Starts again what dies, until the platform is taken down."""
    with suppress(ValueError, RunError):
        for name in service.platform.watch():
            told(f"{name} is started again")


def history(service: Service) -> dict[str, float]:
    """How long Dagster takes for its page of runs, with as many in its tables."""
    newest = "SELECT run_id FROM runs WHERE status = 'SUCCESS' ORDER BY id DESC LIMIT 1"
    values = {
        "like": service.one(newest),
        "more": HISTORY - service.one("SELECT count(*) FROM runs"),
    }
    with service.database.begin() as connection:
        connection.execute(sa.text(MORE_RUNS), values)
        connection.execute(sa.text(MORE_TAGS), values)
    with service.database.connect() as connection:
        alone = connection.execution_options(isolation_level="AUTOCOMMIT")
        alone.execute(sa.text("VACUUM (ANALYZE) runs, run_tags"))
    client = service.platform.client

    def page() -> float:
        began = time.perf_counter()
        asked = {"query": PAGE, "variables": {"limit": 30}}
        answer = client.http.post(f"{client.url}/graphql", json=asked, timeout=60).json()
        took = (time.perf_counter() - began) * 1000
        if answer.get("errors"):
            raise RuntimeError(answer["errors"][0]["message"])
        if len(answer["data"]["runsFeedOrError"]["results"]) != 30:
            raise RuntimeError("The page does not have 30 runs.")
        return took

    page()
    return {"history.runs_page_ms": statistics.median(page() for _ in range(20))}


@contextmanager
def serving(project: Project, *, daemon: bool) -> Generator[Service]:
    """A project that is up."""
    with (
        start_platform(project, Ports.free(), progress=told, daemon=daemon) as platform,
        database_url(project.home, project.variables) as url,
    ):
        database = create_engine(url)
        try:
            yield Service(project, platform, database)
        finally:
            database.dispose()


def main() -> None:
    waiting = Waiting()
    with waiting.listening(), prepared(0, 50) as project:
        asks: Any = {"kind": "tool.http", "timeout": "10m", "with": {"url": waiting.url}}
        chooses: Any = {"kind": "logic.switch", "with": {"cases": {"yes": "{{1 > 0}}"}}}
        again: Any = {**chooses, "after": ["first.yes"]}
        quick = {"first": chooses, "second": again}
        deploy(project, [hooked("quick", quick), hooked("waits", {"ask": asks})])
        with serving(project, daemon=False) as service:
            of_stock = stock_starts(service)
        with serving(project, daemon=True) as service:
            for measure in (
                lambda: starts(service, of_stock),
                lambda: recovery(service, waiting),
                lambda: asyncio.run(webhooks(service)),
                lambda: history(service),
            ):
                load = os.getloadavg()[0]
                found = {name: round(value, 2) for name, value in measure().items()}
                for name, value in found.items():
                    print(f"{name:34} {value:>10}")
                print(json.dumps({"service": found, "load": round(load, 1)}))
                record(found, load=load)


if __name__ == "__main__":
    main()
