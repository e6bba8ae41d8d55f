"""Values too large for a row, as files of a folder, each under the hash of its content."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from agentflow_dagster.errors import StoreError


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
            if not path.exists() or _digest(path.read_bytes()) != digest:
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

    def _path(self, digest: str) -> Path:
        return self._root / "sha256" / digest[:2] / digest


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


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
