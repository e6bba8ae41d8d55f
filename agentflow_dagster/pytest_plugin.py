"""Collects the tests of agent documents in pytest: `pytest --agentflow`; keeps tests from calling
real models; has fixtures for what stands in for them.

Every pytest of an environment loads this, so it imports next to nothing, and collects nothing that
was not asked for: what tests call may cost money.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from _pytest._code.code import TerminalRepr, TracebackStyle

    from agentflow_dagster.engine.step import Services
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.operations.testing import DocumentTests
    from agentflow_dagster.operations.testing.agents import FindPlan
    from agentflow_dagster.ports.document_tests import TestReport
    from agentflow_dagster.ports.model import Model
    from agentflow_dagster.spec.diagnostics import Position
    from agentflow_dagster.testing import Cassette, ModelServer, Price, ScriptedModel
    from agentflow_dagster.testing.cassettes import Mode
    from agentflow_dagster.testing.scripted import Turns

_OPTION = "agentflow"
_REAL_MODELS = "AGENTFLOW_REAL_MODELS"
_ENDINGS = (".yaml", ".yml", ".json", ".py", ".ipynb")


class TestFailed(Exception):
    """A document's test did not pass."""

    __test__ = False

    def __init__(self, report: TestReport) -> None:
        super().__init__(f"{report.test!r} of {report.agent!r} failed.")
        self.report = report


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--agentflow`, and the same in the configuration."""
    told = "collect the tests of AgentFlow's agents (`spec.tests`), which run what is not mocked"
    group = parser.getgroup("agentflow")
    group.addoption("--agentflow", action="store_true", default=False, help=told)
    told = "what the fixture model_cassette does; replay unless AGENTFLOW_CASSETTES says otherwise"
    group.addoption("--model-cassettes", choices=("replay", "record", "auto"), help=told)
    parser.addini(_OPTION, "as --agentflow", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Has calls of real models refused, here and in child processes."""
    told = "real_models: calls real models, which costs money"
    config.addinivalue_line("markers", told)
    # As `models.guard` reads it, which is not imported here: every pytest loads this.
    os.environ.setdefault(_REAL_MODELS, "0")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Lets a test call real models that is marked so."""
    if item.get_closest_marker("real_models") is None:
        return (yield)
    before = os.environ[_REAL_MODELS]
    os.environ[_REAL_MODELS] = "1"
    try:
        return (yield)
    finally:
        os.environ[_REAL_MODELS] = before


@pytest.fixture
def model_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A server that stands in for every provider: the environment points them at it."""
    from agentflow_dagster.testing import ModelServer

    with ModelServer() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def scripted_model() -> Iterator[Callable[..., ScriptedModel]]:
    """`scripted_model("judge", ["yes"])` answers as `test/judge` until the test ends."""
    from contextlib import ExitStack

    from agentflow_dagster.testing import ScriptedModel

    with ExitStack() as until_the_end:

        def script(
            name: str, turns: Turns = ("ok",), *, price: Price | None = None
        ) -> ScriptedModel:
            model = ScriptedModel(turns, name=name, price=price)
            return until_the_end.enter_context(model)

        yield script


@pytest.fixture
def model_cassette(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Cassette]:
    """`model_cassette()` is a model that replays what was recorded for this test, in the folder
    `cassettes` beside its file. `pytest --model-cassettes=record` asks the model that is given, or
    that the environment configures; `auto` asks it what was not recorded."""
    from agentflow_dagster.models import ModelPlane
    from agentflow_dagster.testing import Cassette
    from agentflow_dagster.testing.recorded import secrets_of

    asked = request.config.getoption("--model-cassettes")
    mode = cast("Mode", asked or os.environ.get("AGENTFLOW_CASSETTES", "replay"))
    test = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    folder = request.path.parent / "cassettes" / request.path.stem

    def cassette(model: Model | None = None, *, name: str = "") -> Cassette:
        file = folder / f"{test}-{name}.yaml" if name else folder / f"{test}.yaml"
        if mode not in {"record", "auto"}:
            return Cassette(file, mode=mode)
        monkeypatch.setenv(_REAL_MODELS, "1")
        model = model or ModelPlane(os.environ)
        return Cassette(file, model, mode=mode, secrets=secrets_of(os.environ))

    return cassette


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> AgentFile | None:
    """Agent files that were named themselves, or with `--agentflow` all that are come across."""
    if not file_path.name.endswith(_ENDINGS):
        return None
    config = parent.config
    asked = config.getoption(_OPTION) or config.getini(_OPTION)
    if not asked and not parent.session.isinitpath(file_path):
        return None
    from agentflow_dagster.operations.project import is_agent_file

    if not is_agent_file(file_path):
        return None
    return AgentFile.from_parent(parent, path=file_path)  # pyright: ignore[reportUnknownMemberType] - pytest's is typed in part


@dataclass(frozen=True, slots=True)
class _Suite:
    """An agent, and what its tests are run with."""

    plan: Plan
    services: Services
    find: FindPlan
    runner: DocumentTests
    positions: Mapping[str, Position]


class AgentFile(pytest.File):
    """The tests of one file."""

    def collect(self) -> Iterator[AgentItem]:
        """An item for each test.

        Raises:
            CollectError: the file has errors, or lies in no project.
        """
        from agentflow_dagster.errors import AgentFlowError, DocumentError

        try:
            suite = self._suite()
        except DocumentError as problem:
            told = "\n".join(str(diagnostic) for diagnostic in problem.diagnostics)
            raise self.CollectError(told) from None
        except AgentFlowError as problem:
            raise self.CollectError(str(problem)) from None
        if suite is None:
            return
        for name in suite.plan.agent.spec.tests:
            item = AgentItem.from_parent(self, name=name)  # pyright: ignore[reportUnknownMemberType]
            item.suite = suite
            yield item

    def _suite(self) -> _Suite | None:
        """What the file holds; None where it has no tests, whose errors were not asked for."""
        from agentflow_dagster.nodes import all_kinds
        from agentflow_dagster.operations.agents import known_agents
        from agentflow_dagster.operations.check import check_file
        from agentflow_dagster.operations.project import Project
        from agentflow_dagster.operations.testing import (
            DocumentTests,
            project_plans,
            project_services,
        )

        project, kinds = Project.find(self.path.parent), all_kinds()
        agents = known_agents(project, more=[self.path])
        checked = check_file(self.path, kinds, file=project.relative(self.path), agents=agents)
        if checked.agent is not None and not checked.agent.spec.tests:
            return None
        return _Suite(
            checked.require(),
            project_services(project, kinds),
            project_plans(project, kinds),
            DocumentTests(),
            checked.positions,
        )


class AgentItem(pytest.Item):
    """One test of one document."""

    suite: _Suite

    def runtest(self) -> None:
        """Runs it.

        Raises:
            TestFailed: it did not pass.
        """
        import asyncio

        report = asyncio.run(self._report())
        costs = [case.cost_usd for case in report.cases]
        known = [cost for cost in costs if cost is not None]
        self.user_properties.append(("cases", len(costs)))
        if len(known) == len(costs):
            self.user_properties.append(("cost_usd", sum(known)))
        if not report.passed:
            raise TestFailed(report)

    async def _report(self) -> TestReport:
        from agentflow_dagster.models import close_connections

        suite = self.suite
        try:
            return await suite.runner.run(suite.plan, self.name, suite.services, suite.find)
        finally:
            await close_connections()

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: TracebackStyle | None = None
    ) -> str | TerminalRepr:
        """What does not hold, as `agentflow test` tells it."""
        if not isinstance(excinfo.value, TestFailed):
            return super().repr_failure(excinfo, style)
        from agentflow_dagster.operations.testing.telling import told_lines

        return "\n".join(told_lines(excinfo.value.report))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the test stands: pytest counts lines from 0, and cells have none of the file."""
        at = self.suite.positions.get(f"/spec/tests/{self.name}")
        line = at.line - 1 if at and at.cell is None else None
        return self.path, line, f"{self.suite.plan.agent.name}: {self.name}"
