"""What is deployed is ready before its first run; what cannot be keeps no other from it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.engine_lane.readiness import Readiness
from tests.orchestration import lane
from tests.orchestration.engine_lane.test_engine import CHAIN
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import pytest

    from tests.orchestration.bench import Bench


@asynccontextmanager
async def keeping_ready(
    bench: Bench, make_ready: Callable[[str, str], Awaitable[object]]
) -> AsyncGenerator[None]:
    work = asyncio.create_task(Readiness(bench.stores.versions, "production", make_ready).run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait([work])


def deployed(bench: Bench, agent: str, hash_: str) -> str:
    """Deploys a version that is no more than a name."""
    versions = bench.stores.versions
    stored = versions.put(agent, hash_.rjust(64, "0"), {"metadata": {"name": agent}}, {})  # type: ignore[arg-type]
    versions.deploy("production", stored.hash)
    return stored.hash


async def test_what_is_deployed_is_made_ready(bench: Bench) -> None:
    asked: list[tuple[str, str]] = []

    async def make_ready(version: str, location: str) -> None:
        asked.append((version, location))
        if version == first:
            raise RunError("It cannot be.")

    first, second = deployed(bench, "a", "a"), deployed(bench, "b", "b")
    async with keeping_ready(bench, make_ready):
        await asyncio.to_thread(wait_until, lambda: len(asked) == 2)
        assert asked == [(second, "agentflow"), (first, "agentflow")]
        third = deployed(bench, "c", "c")
        await asyncio.to_thread(wait_until, lambda: (third, "agentflow") in asked)


async def test_a_version_that_is_ready_is_not_made_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.serve(CHAIN)
    run = bench.prepare("chain")
    version = bench.compiled["chain"].version.hash
    async with lane.engine(bench) as engine:
        await engine.make_ready(version, "agentflow")
        monkeypatch.setattr(bench.stores.versions, "get", None)
        await engine.start(run.run_id)
        await engine.ended(run.run_id)
    assert bench.ran(run.run_id).status == "SUCCESS"
