"""A real Dagster instance and real stores on one PostgreSQL database, and agents to run on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.orchestration.instance import DATABASE_VARIABLE, write_instance
from agentflow_dagster.stores import open_stores
from tests.conftest import new_database, renamed, run_on
from tests.orchestration.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from dagster import DagsterInstance

TEMPLATE = "agentflow_dagster_template"


@pytest.fixture(scope="session")
def both_tables(
    postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The name of a database with AgentFlow's tables and Dagster's that nobody is connected to."""
    run_on(postgres_url, f"CREATE DATABASE {TEMPLATE} TEMPLATE {template_database}")
    home = tmp_path_factory.mktemp("template")
    url = renamed(postgres_url, TEMPLATE)
    with pytest.MonkeyPatch.context() as patch, opened_instance(home, url, patch) as instance:
        instance.get_runs_count()
    return TEMPLATE


@pytest.fixture
def bench(
    postgres_url: str, both_tables: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Bench]:
    """A database of its own."""
    yield from new_bench(postgres_url, both_tables, tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def shared_bench(
    postgres_url: str, both_tables: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Bench]:
    """One for the tests of a module that do not mind what others have run."""
    yield from new_bench(postgres_url, both_tables, tmp_path_factory.mktemp("bench"))


def new_bench(server_url: str, template: str, home: Path) -> Generator[Bench]:
    for url in new_database(server_url, template=template):
        with (
            pytest.MonkeyPatch.context() as patch,
            opened_instance(home, url, patch) as instance,
            open_stores(url, home / "artifacts") as stores,
        ):
            # One connection for many events; otherwise Dagster makes one for each.
            instance.optimize_for_webserver(60_000, 3_600, 10)
            yield Bench(instance, stores, url, home / "artifacts")


def opened_instance(home: Path, url: str, patch: pytest.MonkeyPatch) -> DagsterInstance:
    """The instance that `agentflow run` makes for itself, on this database."""
    from dagster import DagsterInstance

    patch.setenv(DATABASE_VARIABLE, url)
    return DagsterInstance.from_config(str(write_instance(home, queued=False)))
