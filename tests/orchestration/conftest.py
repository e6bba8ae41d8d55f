"""A real Dagster instance and real stores on one PostgreSQL database, and agents to run on them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest
import sqlalchemy as sa

from agentflow_dagster.orchestration.instance import DATABASE_VARIABLE, write_instance
from agentflow_dagster.orchestration.live_events import PostgresLiveEvents
from agentflow_dagster.stores import open_stores
from tests.conftest import new_database
from tests.orchestration import lane
from tests.orchestration.bench import Bench

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping
    from pathlib import Path

    from dagster import DagsterInstance

    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Ran

# Dagster's notes on its own tables, which a new instance would look up again.
KEPT = frozenset({"alembic_version", "secondary_indexes", "instance_info", "kvs"})


@pytest.fixture
def bench(lasting_bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Nothing is stored, nothing served."""
    # Another module's bench may have taken the variable away when it ended.
    monkeypatch.setenv(DATABASE_VARIABLE, lasting_bench.database_url)
    empty(lasting_bench)
    lasting_bench.clear()
    return lasting_bench


@pytest.fixture
async def events(bench: Bench) -> AsyncGenerator[PostgresLiveEvents]:
    """Follows what becomes of runs."""
    followed = PostgresLiveEvents(bench.database_url)
    yield followed
    await followed.close()


class Lane(Protocol):
    """Runs an agent's job from its beginning, in one of the lanes."""

    def __call__(
        self, agent: str, input_: JsonObject | None = None, *, tags: Mapping[str, str] | None = None
    ) -> Ran: ...


@pytest.fixture(params=["engine", "stock"])
def run(bench: Bench, request: pytest.FixtureRequest) -> Lane:
    """Runs an agent in each of the lanes."""
    return bench.run if request.param == "stock" else partial(lane.run, bench)


@pytest.fixture(scope="session")
def lasting_bench(
    postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Bench]:
    """The one that `bench` empties: a new instance asks PostgreSQL about each of its tables."""
    yield from new_bench(postgres_url, template_database, tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def shared_bench(
    postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Bench]:
    """One for the tests of a module that look at what was run once."""
    yield from new_bench(postgres_url, template_database, tmp_path_factory.mktemp("bench"))


def new_bench(server_url: str, template: str, home: Path) -> Generator[Bench]:
    for url in new_database(server_url, template=template):
        with (
            pytest.MonkeyPatch.context() as patch,
            opened_instance(home, url, patch) as instance,
            open_stores(url, home / "artifacts") as stores,
        ):
            yield Bench(instance, stores, url, home / "artifacts")


def opened_instance(home: Path, url: str, patch: pytest.MonkeyPatch) -> DagsterInstance:
    """The instance that `agentflow run` makes for itself, on this database.

    Only what steps print is not kept: Dagster starts four processes a run to copy it.
    """
    from dagster import DagsterInstance
    from dagster._core.instance.ref import InstanceRef

    patch.setenv(DATABASE_VARIABLE, url)
    folder = write_instance(home, queued=False)
    nowhere = {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
    reference = InstanceRef.from_dir(str(folder), overrides={"compute_logs": nowhere})
    return DagsterInstance.from_ref(reference)


def empty(bench: Bench) -> None:
    """Empties the tables."""
    engine = sa.create_engine(bench.database_url)
    with engine.begin() as connection:
        tables = connection.execute(
            sa.text(
                "SELECT schemaname, tablename FROM pg_tables"
                " WHERE schemaname IN ('public', 'agentflow')"
            )
        )
        named = [f'"{schema}"."{name}"' for schema, name in tables if name not in KEPT]
        connection.execute(sa.text(f"TRUNCATE {', '.join(named)} RESTART IDENTITY"))
    engine.dispose()
