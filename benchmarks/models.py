"""What the model plane adds to a call of a model, and whether its budgets hold.

    python benchmarks/models.py [--rounds 12]

One plane in this process, on an embedded PostgreSQL of its own; the providers are a `ModelServer`
in another process, so that its work is not counted. The kinds of call take turns in each round,
so that what else the machine does befalls all alike:

- `models.overhead_ms_p50`: what a call by the plane takes more than one by `litellm.acompletion`
  told the same: the largest of CPU and wall, one at a time and 16 at once. The plane has a
  ledger, and its calls a budget of their run and one of the month;
- `models.first_call_ms`: the same of a run's first call, one at a time, which has PostgreSQL
  asked;
- `models.call.*`: what each kind of call takes of this process (`cpu`) and of the clock (`wall`):
  raw httpx, LiteLLM as it comes, LiteLLM as we set it, the same without the reports that it
  writes for callbacks (the plane does without them), the plane without a ledger, the plane;
- `models.overhead.*`: what the plane takes more than LiteLLM, and than LiteLLM without reports.

Prints a table and one line of JSON, and keeps the figures (results.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import uvloop

sys.path.insert(0, str(Path(__file__).parent))
from results import record

from agentflow_dagster.models.litellm_loading import load_litellm, unreported
from agentflow_dagster.models.plane import ModelPlane
from agentflow_dagster.models.settings import read_settings
from agentflow_dagster.ports.ledger import Caller
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.stores import database_url, open_stores
from agentflow_dagster.testing import Answer, ModelServer, Price, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from multiprocessing.connection import Connection

    from agentflow_dagster.stores import Stores
    from agentflow_dagster.stores.memo import PostgresMemo

    Call = Callable[[str], Awaitable[object]]
    """Makes one call; of the run of that id, where it has one."""

MODEL = "gpt-4.1-mini"
SETTINGS = """
models:
  openai/gpt-4.1-mini: {inputPerMillion: 0.40, outputPerMillion: 1.60}
  anthropic/claude-haiku-4-5: {inputPerMillion: 1.00, outputPerMillion: 5.00}
"""
PRICE = Price(Decimal("0.40"), Decimal("1.60"))
SYSTEM = "You are on the support desk of a shop. Answer in two sentences, politely. " * 8
USER = "The customer writes that the parcel has not come, and asks for the money back. " * 38
ANSWER = Answer("We are sorry that it is late. " * 8, tokens_in=700, tokens_out=80)
SCRIPTS: Mapping[str, Mapping[str, Any]] = {
    "answers": {"openai": [ANSWER], "anthropic": [ANSWER]},
    "500": {"openai": [Refusal(500)], "anthropic": [ANSWER]},
    "429": {"openai": [Refusal(429, retry_after=30)], "anthropic": [ANSWER]},
}
RUN_USD, MONTH_USD = Decimal(1), Decimal(1_000)
CALLS_OF_RUN = 25


def serve(told: Connection) -> None:
    """Stands in for the providers, in a process of its own, and does as it is told."""
    with ModelServer(SCRIPTS["answers"], price=PRICE) as server:
        told.send(server.environment("openai", "anthropic"))
        while (order := told.recv()) != "end":
            match order:
                case "refusals":  # From each refusal until the call that comes next.
                    calls = server.received
                    pairs = zip(calls[::2], calls[1::2], strict=True)
                    told.send([(b.at - (a.first_byte_at or 0)) * 1000 for a, b in pairs])
                case "first bytes":
                    told.send([call.first_byte_at for call in server.received])
                case "bill":
                    told.send(server.bill())
                case script:
                    server.answer_with(SCRIPTS[script], forget=True)
                    told.send(None)


@dataclass(frozen=True)
class Bench:
    """What is measured, and against what."""

    told: Connection
    environment: Mapping[str, str]
    folder: Path
    url: str
    stores: Stores

    def order(self, what: str) -> Any:
        """Has the server do something; what it says."""
        self.told.send(what)
        return self.told.recv()

    def plane(self, *, charged: bool = True, memo: PostgresMemo | None = None) -> ModelPlane:
        ledger = self.stores.ledger if charged else None
        settings = read_settings(self.folder)
        return ModelPlane(self.environment, settings=settings, ledger=ledger, memo=memo)


def caller(run: str, *, agent: str = "bench", monthly: Decimal = MONTH_USD) -> Caller:
    return Caller(run, agent, "draft", per_run_usd=RUN_USD, monthly_usd=monthly)


def request(run: str = "") -> ModelRequest:
    """What is asked; on behalf of a run, if there is one."""
    messages = (Message("system", SYSTEM), Message("user", USER))
    whose = caller(run) if run else None
    return ModelRequest(messages, model=f"openai/{MODEL}", max_tokens=200, caller=whose)


async def kinds_of_call(one: Bench) -> dict[str, Call]:
    litellm: Any = load_litellm()
    base, key = one.environment["OPENAI_BASE_URL"], one.environment["OPENAI_API_KEY"]
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
    client = httpx.AsyncClient(timeout=300)
    plane, free = one.plane(), one.plane(charged=False)
    said: dict[str, Any] = {"model": f"openai/{MODEL}", "messages": messages, "max_tokens": 200}
    said |= {"api_base": base, "timeout": 300.0, "num_retries": 0, "max_retries": 0}

    async def raw(_: str) -> object:
        body = {"model": MODEL, "messages": messages, "max_tokens": 200}
        head = {"authorization": f"Bearer {key}"}
        answer = await client.post(f"{base}/chat/completions", json=body, headers=head)
        return answer.raise_for_status().json()["choices"][0]["message"]["content"]

    async def as_it_comes(_: str) -> object:
        # Its connections are kept by the key: those of this one were opened by aiohttp.
        return await litellm.acompletion(**said, api_key="as-it-comes")

    async def bare(_: str) -> object:
        return await litellm.acompletion(
            **said, api_key=key, drop_params=True, _skip_mcp_handler=True
        )

    async def quiet(_: str) -> object:
        with unreported():
            return await bare("")

    async def uncharged(_: str) -> object:
        return await free.complete(request())

    async def charged(run: str) -> object:
        return await plane.complete(request(run))

    litellm.disable_aiohttp_transport = False
    await as_it_comes("")
    litellm.disable_aiohttp_transport = True
    return {
        "httpx": raw,
        "litellm_as_it_comes": as_it_comes,
        "litellm": bare,
        "litellm_unreported": quiet,
        "plane_no_ledger": uncharged,
        "plane": charged,
    }


@dataclass(frozen=True)
class Took:
    """What calls took: CPU of this process and wall, in ms a call; and each one's wall."""

    cpu: float
    wall: float
    each: list[float]


async def many(call: Call, *, calls: int, at_once: int, of_run: int = CALLS_OF_RUN) -> Took:
    """Makes that many calls, so many of them at once, and so many by each run."""
    each: list[float] = []
    left = iter(range(calls))

    async def some() -> None:
        run, made = "", 0
        for _ in left:
            run, made = (run, made + 1) if made % of_run else (str(uuid.uuid4()), made + 1)
            began = time.perf_counter()
            await call(run)
            each.append((time.perf_counter() - began) * 1000)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(some() for _ in range(at_once)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Took(cpu * 1000 / calls, wall * 1000 / calls, each)


async def overhead(one: Bench, rounds: int) -> dict[str, float]:
    """Of each round, what the plane takes more than LiteLLM beside it; the median of rounds."""
    one.order("answers")
    kinds = await kinds_of_call(one)
    for call in kinds.values():
        await many(call, calls=60, at_once=4)
    found: dict[str, float] = {}
    worst: list[float] = []
    for at_once in (1, 16):
        took: dict[str, list[Took]] = defaultdict(list)
        for number in range(rounds):
            names = list(kinds)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                took[name].append(await many(kinds[name], calls=100, at_once=at_once))
        for name, rows in took.items():
            found[f"models.call.{name}_{at_once}_cpu_ms"] = statistics.median(r.cpu for r in rows)
            found[f"models.call.{name}_{at_once}_wall_ms"] = statistics.median(_walls(rows))
        for name, beside in (
            ("plane_no_ledger", "litellm"),
            ("plane", "litellm_unreported"),
            ("plane", "litellm"),
        ):
            pairs = list(zip(took[name], took[beside], strict=True))
            cpu = statistics.median(a.cpu - b.cpu for a, b in pairs)
            wall = statistics.median(_wall(a, at_once) - _wall(b, at_once) for a, b in pairs)
            told = f"models.overhead.{name}{'' if beside == 'litellm' else '_unreported'}_{at_once}"
            found |= {f"{told}_cpu_ms": cpu, f"{told}_wall_ms": wall}
            worst += [cpu, wall] if (name, beside) == ("plane", "litellm") else []
    found["models.overhead_ms_p50"] = max(worst)
    pairs = [
        (
            await many(kinds["plane"], calls=40, at_once=1, of_run=1),
            await many(kinds["litellm"], calls=40, at_once=1),
        )
        for _ in range(rounds)
    ]
    found["models.first_call_ms"] = statistics.median(_wall(a, 1) - _wall(b, 1) for a, b in pairs)
    return found


def _wall(took: Took, at_once: int) -> float:
    """One at a time it is the median call's; many at once each waits for the others' CPU, so it is
    the time of all by their number."""
    return statistics.median(took.each) if at_once == 1 else took.wall


def _walls(rows: list[Took]) -> list[float]:
    return [wall for row in rows for wall in row.each]


def bench(folder: Path, stack: ExitStack) -> Bench:
    """The server in its process, and a database."""
    spawn = get_context("spawn")
    told, ours = spawn.Pipe()
    server = spawn.Process(target=serve, args=(ours,), daemon=True)
    server.start()
    stack.callback(server.join, 10)
    stack.callback(told.send, "end")
    (folder / "models.yaml").write_text(SETTINGS)
    url = stack.enter_context(database_url(folder, {}))
    opened = open_stores(url, folder / "artifacts", workspace_monthly_usd=10 * MONTH_USD)
    return Bench(told, told.recv(), folder, url, stack.enter_context(opened))


async def carried_out(measured: Callable[[Bench], Awaitable[dict[str, float]]]) -> None:
    """Measures on a server and a database of its own, prints the figures and keeps them."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="agentflow-bench-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o711)  # noqa: ASYNC240 - nothing else runs yet
        with ExitStack() as stack:
            found = await measured(bench(folder, stack))
            await load_litellm().close_litellm_async_clients()
    found = {name: round(value, 3) for name, value in found.items()}
    for name, value in found.items():
        print(f"{name:44} {value:>10}")
    print(json.dumps({"models": found, "load": round(load, 1)}))
    record(found, load=load)


def main() -> None:
    parser = argparse.ArgumentParser(description="Times calls by the model plane.")
    parser.add_argument("--rounds", type=int, default=12, help="of each kind of call")
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(carried_out(lambda one: overhead(one, chosen.rounds)))


if __name__ == "__main__":
    sys.exit(main())
