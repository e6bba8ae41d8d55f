"""A running engine works with the models that the project says now."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.engine.redaction_rules import NO_RULES
from agentflow_dagster.orchestration.engine_lane import serving
from agentflow_dagster.orchestration.op import step_services
from tests.orchestration.adapters import ScriptedModel
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.orchestration.bench import Bench


class Engine:
    """Notes what it is to work with."""

    def __init__(self) -> None:
        self.given: list[object] = []

    def work_with(self, services: Any) -> None:
        self.given.append(services.model)


class Models:
    """A project's models; reading what it says of them may fail."""

    def __init__(self) -> None:
        self.says: ScriptedModel | str = ScriptedModel()
        self.looks = 0

    def adapter(self, *_: object) -> ScriptedModel:
        self.looks += 1
        if isinstance(self.says, str):
            raise RuntimeError(self.says)
        return self.says

    def redaction(self) -> object:
        return NO_RULES

    async def looked_at(self) -> None:
        """Once what it says now was looked at, and the look is over."""
        wanted = self.looks + 2
        await asyncio.to_thread(wait_until, lambda: self.looks >= wanted)


@asynccontextmanager
async def looking(bench: Bench, models: Models) -> AsyncGenerator[Engine]:
    resources = SimpleNamespace(**{**bench.resources, "model": models})
    engine: Any = Engine()
    services = step_services(resources, bench.kinds)
    work = serving._keep_current(engine, services, resources, bench.stores)
    task = asyncio.create_task(work)
    yield engine
    task.cancel()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_CURRENT_SECONDS", 0.01)


async def test_other_models_are_worked_with_and_the_same_are_not_given_again(bench: Bench) -> None:
    models = Models()
    async with looking(bench, models) as engine:
        await models.looked_at()
        assert engine.given == []
        models.says = other = ScriptedModel()
        await models.looked_at()
        await models.looked_at()
        assert engine.given == [other]


async def test_what_cannot_be_read_changes_nothing_and_is_told_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    models = Models()
    before = models.says
    async with looking(bench, models) as engine:
        models.says = "models.yaml:3: unknown field"
        with caplog.at_level(logging.WARNING):
            await models.looked_at()
            await models.looked_at()
        assert [one.getMessage() for one in caplog.records] == [
            "Runs go on with the models of before: models.yaml:3: unknown field"
        ]
        models.says = before
        await models.looked_at()
        assert engine.given == []
        models.says = other = ScriptedModel()
        await models.looked_at()
        assert engine.given == [other]
