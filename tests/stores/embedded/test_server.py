"""One server for a directory: started for the first who holds it, stopped after the last."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from agentflow_dagster.errors import StoreError
from agentflow_dagster.stores.embedded import EmbeddedPostgres

HOLD = """
import sys
from pathlib import Path
from agentflow_dagster.stores.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.url, flush=True)
sys.stdin.readline()
"""


def ask(url: str, statement: str) -> object:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None  # type: ignore[index]
    finally:
        connection.close()


def holder(directory: Path) -> subprocess.Popen[str]:
    """A process that holds the server until it is told to end, or killed."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", HOLD, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def wait_until_stopped(directory: Path) -> None:
    """Blocks for as long as a process of the server lives: each of them keeps this lock."""
    with (directory / "running.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)


@pytest.fixture(scope="module")
def directory(open_folder: Path) -> Path:
    """Of one cluster for all tests here that leave it whole: making one takes most of a second."""
    return open_folder / "embedded"


@pytest.fixture
def new_directory(open_folder: Path, request: pytest.FixtureRequest) -> Path:
    return open_folder / request.node.name


def test_starts_stops_and_keeps_what_was_committed(directory: Path) -> None:
    with EmbeddedPostgres(directory) as server:
        ask(server.url, "CREATE TABLE kept AS SELECT 7 AS seven")
    wait_until_stopped(directory)
    with EmbeddedPostgres(directory) as server:
        assert ask(server.url, "SELECT seven FROM kept") == 7


def test_is_durable_and_has_room_for_many_connections(directory: Path) -> None:
    with EmbeddedPostgres(directory) as server:
        assert ask(server.url, "SHOW fsync") == "on"
        assert ask(server.url, "SHOW max_connections") == "200"
        assert ask(server.url, "SHOW listen_addresses") == ""


def test_url_only_while_held(directory: Path) -> None:
    server = EmbeddedPostgres(directory)
    with pytest.raises(StoreError, match="not held"):
        _ = server.url


def test_runs_on_while_somebody_holds_it(directory: Path) -> None:
    first, second = EmbeddedPostgres(directory), EmbeddedPostgres(directory)
    first.start()
    second.start()
    first.stop()
    assert ask(second.url, "SELECT 1") == 1
    second.stop()
    with pytest.raises(psycopg2.OperationalError):
        ask(f"postgresql://postgres@/postgres?host={directory / 'data'}", "SELECT 1")


def test_many_processes_start_one_server(new_directory: Path) -> None:
    processes = [holder(new_directory) for _ in range(5)]
    urls = {url_of(process) for process in processes}
    assert len(urls) == 1
    assert ask(urls.pop(), "SELECT 1") == 1
    for process in processes:
        process.communicate("end\n")
        assert process.returncode == 0
    wait_until_stopped(new_directory)


def test_killed_holder_neither_stops_the_server_nor_keeps_it(directory: Path) -> None:
    starter, other = holder(directory), holder(directory)
    url_of(starter)
    url = url_of(other)
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    assert ask(url, "SELECT 1") == 1
    other.send_signal(signal.SIGKILL)
    other.communicate()
    wait_until_stopped(directory)
    with EmbeddedPostgres(directory) as server:
        assert ask(server.url, "SELECT 1") == 1


def test_forked_child_does_not_stop_its_parents_server(directory: Path) -> None:
    with EmbeddedPostgres(directory) as server:
        child = multiprocessing.get_context("fork").Process(target=server.stop)
        child.start()
        child.join()
        assert child.exitcode == 0
        assert ask(server.url, "SELECT 1") == 1


def test_server_that_died_is_started_again(directory: Path) -> None:
    with EmbeddedPostgres(directory) as server:
        ask(server.url, "CREATE TABLE survives AS SELECT 7 AS seven")
        postmaster = int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)
        wait_until_stopped(directory)
        with EmbeddedPostgres(directory) as again:
            assert ask(again.url, "SELECT seven FROM survives") == 7


def test_left_over_number_of_a_living_process_does_not_matter(directory: Path) -> None:
    with EmbeddedPostgres(directory):
        lines = (directory / "data" / "postmaster.pid").read_text().splitlines()
    wait_until_stopped(directory)
    left_over = "\n".join([str(os.getpid()), *lines[1:], ""])
    (directory / "data" / "postmaster.pid").write_text(left_over)
    with EmbeddedPostgres(directory) as server:
        assert ask(server.url, "SELECT 1") == 1


def test_initdb_that_was_interrupted_is_done_again(new_directory: Path) -> None:
    (new_directory / "data.new" / "base").mkdir(parents=True)
    new_directory.chmod(0o711)
    with EmbeddedPostgres(new_directory) as server:
        assert ask(server.url, "SELECT 1") == 1


@pytest.mark.parametrize("name", ["long" * 40, "a space, ünd $(more)"])
def test_paths_that_a_socket_or_a_url_cannot_take(open_folder: Path, name: str) -> None:
    with EmbeddedPostgres(open_folder / name / "postgres") as server:
        assert ask(server.url, "SELECT 1") == 1
        socket_folder = Path(server.url.partition("host=")[2])
    socket_folder.rmdir()


def test_is_removed_with_its_data(new_directory: Path) -> None:
    server = EmbeddedPostgres(new_directory)
    with server, pytest.raises(StoreError, match="in use"):
        server.remove()
    server.remove()
    server.remove()
    assert not new_directory.exists()


def test_removes_no_more_than_the_data_that_a_link_leads_to(
    new_directory: Path, open_folder: Path
) -> None:
    elsewhere = open_folder / "elsewhere"
    (elsewhere / "kept").mkdir(parents=True)
    new_directory.mkdir()
    (new_directory / "data").symlink_to(elsewhere / "data")
    with EmbeddedPostgres(new_directory) as server:
        assert ask(server.url, "SELECT 1") == 1
    server.remove()
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]


def test_says_why_it_does_not_start(new_directory: Path) -> None:
    with EmbeddedPostgres(new_directory):
        pass
    (new_directory / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(StoreError, match="no_such_setting"):
        EmbeddedPostgres(new_directory).start()


def test_data_of_another_postgresql_is_refused(new_directory: Path) -> None:
    (new_directory / "data").mkdir(parents=True)
    (new_directory / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(StoreError, match="PostgreSQL 15, not 18"):
        EmbeddedPostgres(new_directory).start()


def test_folder_that_cannot_be_used_is_named(open_folder: Path) -> None:
    (open_folder / "a file").write_text("")
    with pytest.raises(StoreError, match="a file"):
        EmbeddedPostgres(open_folder / "a file").start()


def test_prints_nothing_without_a_runtime_folder(directory: Path) -> None:
    environment = {name: v for name, v in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", HOLD, str(directory)],
        env=environment,
        input="end\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("postgresql+psycopg2://")
    wait_until_stopped(directory)
