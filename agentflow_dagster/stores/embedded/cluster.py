"""Makes a PostgreSQL cluster, and says how its server is to be run and where it can be reached."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from agentflow_dagster.errors import StoreError

if TYPE_CHECKING:
    import signal

    from agentflow_dagster.stores.embedded.placement import Placement

MAJOR = 18
SUPERUSER = "postgres"
LONGEST_SOCKET = 100
"""Bytes; the limit is 107 on Linux and 103 on macOS, the terminating zero not counted."""

_SOCKET = ".s.PGSQL.5432"

# Statements stand in the server's log with the values they carry, so failed ones are not logged.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "logging_collector": "on",
    "log_directory": "log",
    # Else whoever commits first of a new file of 16 MB waits until that is written full of zeros.
    "wal_init_zero": "off",
    "log_filename": "server-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


def ensure_cluster(placement: Placement) -> None:
    """Makes the data directory unless it is there; all of it or nothing, whatever interrupts.

    Raises:
        StoreError: `initdb` failed, or the data was made by another PostgreSQL.
    """
    data = placement.data
    if (data / "PG_VERSION").exists():
        found = (data / "PG_VERSION").read_text().strip()
        if found != str(MAJOR):
            raise StoreError(
                f"The database in {str(data)!r} is of PostgreSQL {found}, not {MAJOR}.",
                hint="Move it over with `pg_upgrade`, or start afresh in another folder.",
            )
        return
    unfinished = data.with_name(f"{data.name}.new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    if placement.account:
        os.chown(unfinished, placement.account.uid, placement.account.gid)
    _initdb(placement, unfinished)
    unfinished.rename(data)
    _sync_folder(data.parent)


def command(placement: Placement, socket_folder: Path, *, max_connections: int) -> list[str]:
    """The server's command line."""
    settings = {
        **_SETTINGS,
        "unix_socket_directories": str(socket_folder),
        "max_connections": str(max_connections),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(placement.programs / "postgres"), "-D", str(placement.data), *options]


def socket_folder(placement: Placement) -> Path:
    """Where the server's socket stands: with the data, or (path too long for a socket, or with
    signs that a URL or a list of folders gives a meaning to) in a private temporary folder.

    Raises:
        StoreError: somebody else made that temporary folder.
    """
    folder = _socket_place(placement.data)
    if folder == placement.data:
        return folder
    owner = placement.account.uid if placement.account else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        status = folder.lstat()
        mine = stat.S_ISDIR(status.st_mode) and status.st_uid == owner
        if not mine or status.st_mode & 0o077:
            raise StoreError(
                f"{str(folder)!r} is not a private folder of the user that runs PostgreSQL.",
                hint="Remove it, or use a project folder with a shorter path.",
            ) from None
    else:
        if placement.account:
            os.chown(folder, placement.account.uid, placement.account.gid)
    return folder


def remove(data: Path) -> None:
    """Removes the data of a server that does not run, and what its socket stood in."""
    shutil.rmtree(_socket_place(data), ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)


def url(socket_folder: Path) -> str:
    """The SQLAlchemy URL of the server whose socket stands in that folder."""
    return f"postgresql+psycopg2://{SUPERUSER}@/postgres?host={quote(str(socket_folder))}"


def accepts_connections(placement: Placement, socket_folder: Path) -> bool:
    """Asks the server; one that is starting, stopping or gone says no."""
    asked = subprocess.run(
        [placement.programs / "pg_isready", "-q", "-h", socket_folder, "-U", SUPERUSER],
        env={"PGCONNECT_TIMEOUT": "5"},
        check=False,
    )
    return asked.returncode == 0


def tell(data: Path, what: signal.Signals) -> None:
    """Sends a signal to the server, if there is one."""
    import psutil

    try:
        server = psutil.Process(int((data / "postmaster.pid").read_text().split("\n", 1)[0]))
        if server.name() == "postgres":  # not whoever got the number of one that was killed
            server.send_signal(what)
    except (FileNotFoundError, psutil.NoSuchProcess):
        return


def forget_dead_server(data: Path, socket_folder: Path) -> None:
    """Removes the files by which a server that was killed still seems to live.

    PostgreSQL would not start beside them if the process id in them is anybody's by now. The
    caller must know that no process of the server lives.
    """
    for left in (
        data / "postmaster.pid",
        socket_folder / _SOCKET,
        socket_folder / f"{_SOCKET}.lock",
    ):
        left.unlink(missing_ok=True)


def last_words(startup_log: Path, data: Path) -> str:
    """The newest lines of the server's log, for an error message."""
    words = startup_log.read_text(errors="replace") if startup_log.exists() else ""
    logs = sorted((data / "log").glob("server-*.log"), key=_changed)
    if logs and (not words or "redirecting log output" in words):
        words = logs[-1].read_text(errors="replace")
    return " / ".join(words.strip().splitlines()[-3:]) or "it left no log"


def _socket_place(data: Path) -> Path:
    path = data / _SOCKET
    plain = re.fullmatch(r"[\w./+-]+", str(path), re.ASCII)
    if plain and len(os.fsencode(path)) <= LONGEST_SOCKET:
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    # Not `gettempdir()`: processes with another TMPDIR must find the same folder.
    return Path("/tmp") / f"agentflow-postgres-{name}"  # noqa: S108 - owner and mode are checked


def _initdb(placement: Placement, folder: Path) -> None:
    account = placement.account
    done = subprocess.run(
        [
            *(placement.programs / "initdb", "-D", folder, "-U", SUPERUSER),
            # The socket is open to its own user (and root) alone: see `unix_socket_permissions`.
            *("--auth=trust", "--encoding=UTF8", "--no-instructions"),
            # The same order of text on every machine, and case mapping beyond ASCII.
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            # One sync of the file system where there is one, in place of one for each of the files.
            *(("--sync-method=syncfs",) if sys.platform == "linux" else ()),
        ],
        env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(
            f"The database could not be made in {str(folder.parent)!r}: {done.stderr.strip()}"
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _changed(path: Path) -> float:
    return path.stat().st_mtime
