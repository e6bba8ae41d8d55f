"""Values too large for a row, as files of a folder, each under the hash of its content."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow_dagster.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence

FOLDERS = 256
"""How many folders the files are in, by the first two digits of their hashes."""
_MOST_NAMES = 1_000


class ArtifactFolder:
    """Keeps bytes; what `put` has returned for survives a crash of the machine.

    Args:
        root: The folder, made when first written to. Processes may share it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes) -> str:
        """Writes the bytes and returns their sha256 (hex), by which `get` finds them.

        Raises:
            StoreError: the folder cannot be written to.
        """
        digest = _digest(data)
        path = self._path(digest)
        try:
            _make_folder(path.parent)
            with _locked(path.parent, fcntl.LOCK_SH):
                if path.exists() and _digest(path.read_bytes()) == digest:
                    os.utime(path)  # So that `drop` does not take it for one that nobody wants.
                else:
                    _write_whole(path, data)
                _sync(path.parent)
        except OSError as error:
            raise StoreError(
                f"{len(data):,} bytes cannot be written to {str(self._root)!r}: {error}.",
                hint="Is there room, and may this user write there?",
            ) from error
        return digest

    def get(self, digest: str) -> bytes:
        """Reads the bytes of that sha256.

        Raises:
            StoreError: they are missing, or are not what was written.
        """
        try:
            data = self._path(digest).read_bytes()
        except OSError as error:
            raise StoreError(
                f"The stored value {str(self._path(digest))!r} cannot be read: {error}.",
                hint="Restore the artifact folder from its backup, or run the step again.",
            ) from error
        if _digest(data) != digest:
            raise StoreError(
                f"The stored value {str(self._path(digest))!r} is damaged.",
                hint="Restore the artifact folder from its backup, or run the step again.",
            )
        return data

    def drop(
        self, number: int, named: Callable[[Sequence[str]], Collection[str]], *, before: float
    ) -> Iterator[int]:
        """Deletes the files of one of `FOLDERS` folders that nobody names; gives the size of each.

        Args:
            number: Which folder.
            named: Which of some hashes are named somewhere.
            before: Only what was last written before (Unix seconds): what is written is named a
                little later.
        """
        folder = self._root / "sha256" / f"{number:02x}"
        if not folder.is_dir():
            return
        old = [path for path in sorted(folder.iterdir()) if _is_older(path, before)]
        for start in range(0, len(old), _MOST_NAMES):
            some = old[start : start + _MOST_NAMES]
            kept = set(named([path.name for path in some]))
            for path in some:
                if path.name not in kept and (size := _dropped(path, before)) is not None:
                    yield size

    def _path(self, digest: str) -> Path:
        return self._root / "sha256" / digest[:2] / digest


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_older(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:
        return False  # It has got its name, or another has deleted it.


def _dropped(path: Path, before: float) -> int | None:
    """Deletes a file unless it was written again meanwhile; its size."""
    with _locked(path.parent, fcntl.LOCK_EX):
        try:
            found = path.stat()
        except FileNotFoundError:
            return None  # Another has been here.
        if found.st_mtime >= before:
            return None
        path.unlink()
        return found.st_size


@contextmanager
def _locked(folder: Path, how: int) -> Generator[None]:
    """Those who write into a folder share its lock; who deletes there has it alone."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _write_whole(path: Path, data: bytes) -> None:
    """Writes all or nothing; the content is on the disk before the name is."""
    descriptor, scratch = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
