"""Fixtures for every room: one real PostgreSQL for the session, a fresh database for a test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import sqlalchemy as sa

from agentflow_dagster.models import close_connections
from agentflow_dagster.notebook.kernels import __main__ as kernels
from agentflow_dagster.operations.components import KERNEL_IMPORTS
from agentflow_dagster.stores import Stores, open_stores
from agentflow_dagster.stores.embedded import EmbeddedPostgres
from agentflow_dagster.stores.engine import create_engine
from agentflow_dagster.stores.migration import migrate
from tests.support.sharing import ByFile, longest_first
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from xdist.remote import Producer

TEMPLATE = "agentflow_template"


def pytest_configure() -> None:
    """Ctrl-C and a polite end reach the tests and what they start, and stop both in order.

    A shell lets its background jobs ignore Ctrl-C, and so would every command that they start.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # one process of several
        items[:] = longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False  # the number of tests says little of their time
    return ByFile(config, log)


@pytest_asyncio.fixture
async def _closed_connections() -> AsyncGenerator[None]:
    """Closes what LiteLLM keeps for the test's event loop, of which nobody could later."""
    yield
    await close_connections()


@pytest.fixture(scope="session")
def open_folder() -> Generator[Path]:
    """A temporary folder that every user may pass through, for a server that is not to be root.

    `tmp_path` will not do: pytest closes the folders above it to other users. Where memory has
    room it stands there: a new database is made of 300 files (25 ms; on a slow disk 200).
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 1024**3
    folder = Path(tempfile.mkdtemp(prefix="agentflow-tests-", dir=memory if roomy else None))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_url(open_folder: Path) -> Generator[str]:
    """The URL of the session's PostgreSQL server."""
    with EmbeddedPostgres(open_folder / "postgres") as server:
        yield server.url


@pytest.fixture(scope="session")
def pool() -> Generator[str]:
    """Where kernels are to be had that are ready: the pool of a running project."""
    with tempfile.TemporaryDirectory(prefix="agentflow-") as folder:
        path = Path(folder) / "kernels"
        command = [sys.executable, "-X", "utf8", kernels.__file__, "--socket", str(path)]
        process = subprocess.Popen(
            [*command, "--import", *KERNEL_IMPORTS], env={**os.environ, "TMPDIR": folder}
        )
        wait_until(path.exists)
        yield str(path)
        process.terminate()
        assert process.wait(10) == 0


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> str:
    """The name of a database that has the tables and nobody is connected to."""
    run_on(postgres_url, f"CREATE DATABASE {TEMPLATE}")
    engine = create_engine(renamed(postgres_url, TEMPLATE))
    migrate(engine)
    engine.dispose()
    return TEMPLATE


@pytest.fixture
def empty_database_url(postgres_url: str) -> Generator[str]:
    """The URL of a new database without any table."""
    yield from new_database(postgres_url, template="template1")


@pytest.fixture
def database_url(postgres_url: str, template_database: str) -> Generator[str]:
    """The URL of a new database with AgentFlow's tables, empty."""
    yield from new_database(postgres_url, template=template_database)


@pytest.fixture
def stores(database_url: str, tmp_path: Path) -> Generator[Stores]:
    """The stores of a new database."""
    with open_stores(database_url, tmp_path / "artifacts") as opened:
        yield opened


def new_database(server_url: str, *, template: str) -> Generator[str]:
    name = f"test_{uuid.uuid4().hex}"
    run_on(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield renamed(server_url, name)
    run_on(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def renamed(url: str, database: str) -> str:
    return sa.make_url(url).set(database=database).render_as_string(hide_password=False)


def run_on(url: str, statement: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
