"""Work beside the kernel."""

from __future__ import annotations

import asyncio
import threading

from agentflow_dagster.jupyter.background import Background


def test_it_does_not_block_and_one_thing_at_a_time() -> None:
    go_on, done = threading.Event(), threading.Event()

    async def work() -> None:
        await asyncio.to_thread(go_on.wait)
        done.set()

    background = Background("test", lambda _: None)
    assert background.begin(work)
    assert background.busy
    assert not background.begin(work)
    go_on.set()
    background.wait(30)
    assert done.is_set()
    assert not background.busy


def test_it_can_be_stopped() -> None:
    left = threading.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    failures: list[Exception] = []
    background = Background("test", failures.append)
    background.begin(work)
    background.stop()
    background.wait(30)
    assert left.is_set()
    assert failures == []
    background.stop()


def test_an_error_is_told() -> None:
    failures: list[Exception] = []

    async def work() -> None:
        raise ValueError("broken")

    background = Background("test", failures.append)
    background.begin(work)
    background.wait(30)
    assert [str(failure) for failure in failures] == ["broken"]
