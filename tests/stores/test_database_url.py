"""Which database is used, and what an import costs that uses none."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.stores import database_url, open_stores

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_named_database_is_used(tmp_path: Path, scheme: str) -> None:
    environment = {"AGENTFLOW_DATABASE_URL": f"{scheme}://ada:a%40b@host/agents "}
    with database_url(tmp_path, environment) as url:
        assert url == "postgresql+psycopg2://ada:a%40b@host/agents"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["mysql://ada:Hunter2@host/agents", "Hunter2"])
def test_what_is_no_postgresql_is_refused_without_showing_it(tmp_path: Path, value: str) -> None:
    with (
        pytest.raises(UsageError, match="AGENTFLOW_DATABASE_URL") as raised,
        database_url(tmp_path, {"AGENTFLOW_DATABASE_URL": value}),
    ):
        pass
    assert "Hunter2" not in str(raised.value)


def test_embedded_database_is_used_otherwise(open_folder: Path, tmp_path: Path) -> None:
    home = open_folder / "home"
    for environment in ({}, {"AGENTFLOW_DATABASE_URL": ""}):
        with database_url(home, environment) as url, open_stores(url, tmp_path) as stores:
            stores.inbox.add("triage", "tickets", {})
    with database_url(home, {}) as url, open_stores(url, tmp_path) as stores:
        assert len(stores.inbox.pending("triage")) == 2
    assert (home / "postgres").is_dir()


def test_importing_the_room_imports_no_library() -> None:
    program = (
        "import sys, agentflow_dagster.stores\n"
        "print([m for m in ('sqlalchemy', 'alembic', 'psycopg2', 'psutil', 'pandas') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
