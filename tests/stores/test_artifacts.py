"""Large values: whole or not there, and never a damaged one handed on."""

from __future__ import annotations

import hashlib
import multiprocessing
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import StoreError
from agentflow_dagster.stores.artifacts import ArtifactFolder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "not yet there" / "artifacts"


def only_file(root: Path) -> Path:
    (file,) = (path for path in root.rglob("*") if path.is_file())
    return file


def test_comes_back_under_its_hash(root: Path) -> None:
    digest = ArtifactFolder(root).put(b"data")
    assert digest == hashlib.sha256(b"data").hexdigest()
    assert ArtifactFolder(root).get(digest) == b"data"


def test_same_content_is_one_file_and_nothing_is_left_over(root: Path) -> None:
    for _ in range(2):
        ArtifactFolder(root).put(b"data")
    assert only_file(root).read_bytes() == b"data"


@pytest.mark.parametrize("damage", [b"", b"dat", b"dato", b"data and more"])
def test_damage_is_told_and_mended_by_writing_again(root: Path, damage: bytes) -> None:
    folder = ArtifactFolder(root)
    digest = folder.put(b"data")
    only_file(root).write_bytes(damage)
    with pytest.raises(StoreError, match="is damaged"):
        folder.get(digest)
    folder.put(b"data")
    assert folder.get(digest) == b"data"


def test_missing_is_told(root: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        ArtifactFolder(root).get("0" * 64)


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        ArtifactFolder(tmp_path / "file").put(b"data")


def test_nobody_else_may_read_it(root: Path) -> None:
    ArtifactFolder(root).put(b"data")
    assert only_file(root).stat().st_mode & 0o077 == 0


def _put(root: Path) -> None:
    ArtifactFolder(root).put(b"x" * 300_000)


def test_processes_write_the_same_at_once(root: Path) -> None:
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_put, args=(root,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert only_file(root).stat().st_size == 300_000
