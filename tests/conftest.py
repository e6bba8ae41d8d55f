"""Fixtures for every room: one real PostgreSQL for the session, a fresh database for a test."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.stores.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture(scope="session")
def open_folder() -> Generator[Path]:
    """A temporary folder that every user may pass through, for a server that is not to be root.

    `tmp_path` will not do: pytest closes the folders above it to other users.
    """
    folder = Path(tempfile.mkdtemp(prefix="agentflow-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_url(open_folder: Path) -> Generator[str]:
    """The URL of the session's PostgreSQL server."""
    with EmbeddedPostgres(open_folder / "postgres") as server:
        yield server.url
