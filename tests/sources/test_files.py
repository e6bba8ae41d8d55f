"""Files as events: each settled version once, and nothing from outside the folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.errors import SourceError
from agentflow_dagster.sources import files
from agentflow_dagster.sources.files import FileSource
from agentflow_dagster.spec.triggers import FileWatch

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.ports.events import SourceEvent
    from agentflow_dagster.spec.values import JsonValue


class Watch:
    """A file trigger over a folder, with a clock that tests move."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.now = 1000.0
        given: dict[str, Any] = {"path": "inbox/*.csv", "settle": "2s", **options}
        watch = FileWatch(**given)
        self.source = FileSource(root, watch, lambda: self.now)
        self.cursor: JsonValue = None

    def look(self, *, after: float = 0.0, limit: int = 100) -> list[SourceEvent]:
        self.now += after
        polled = self.source.poll(self.cursor, limit=limit, seconds=10)
        self.cursor = polled.cursor
        return list(polled.events)

    def settled(self) -> list[SourceEvent]:
        first = self.look()
        return first + self.look(after=2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "inbox").mkdir(parents=True)
    return folder


def test_a_file_is_an_event_once_it_has_settled(root: Path) -> None:
    watch = Watch(root)
    assert watch.look() == []
    (root / "inbox" / "a.csv").write_text("x\n1\n")
    assert watch.look() == []
    assert watch.look(after=1.9) == []
    (event,) = watch.look(after=0.2)
    assert event.event["path"] == "inbox/a.csv"
    assert (event.event["name"], event.event["size"], event.event["text"]) == ("a.csv", 4, "x\n1\n")
    assert str(event.event["modified"]).endswith("+00:00")
    assert watch.look(after=60) == []


def test_a_file_that_is_still_growing_is_left_alone_even_with_an_old_time(root: Path) -> None:
    watch = Watch(root)
    path = root / "inbox" / "a.csv"
    for size in range(4):
        path.write_text("x" * size)
        os.utime(path, (1, 1))
        assert watch.look(after=1.5) == []
    assert watch.look(after=1.5) == []
    assert [e.event["text"] for e in watch.look(after=1.5)] == ["xxx"]


def test_a_file_that_is_rewritten_is_an_event_again(root: Path) -> None:
    watch = Watch(root)
    path = root / "inbox" / "a.csv"
    path.write_text("one")
    (first,) = watch.settled()
    path.write_text("two")
    os.utime(path, ns=(1, 7))
    (second,) = watch.settled()
    assert (first.event["text"], second.event["text"]) == ("one", "two")
    assert first.key != second.key


def test_a_file_that_comes_back_has_the_key_that_it_had(root: Path) -> None:
    watch = Watch(root)
    path = root / "inbox" / "a.csv"
    path.write_text("one")
    os.utime(path, ns=(1, 7))
    (first,) = watch.settled()
    path.unlink()
    assert watch.settled() == []
    path.write_text("one")
    os.utime(path, ns=(1, 7))
    (again,) = watch.settled()
    assert first.key == again.key


def test_many_files_at_once_are_taken_a_few_at_a_time(root: Path) -> None:
    names = [f"{n:04}.csv" for n in range(250)]
    for name in names:
        (root / "inbox" / name).write_text(name)
    watch = Watch(root)
    watch.look()
    taken = [[str(e.event["name"]) for e in watch.look(after=2)] for _ in range(4)]
    assert [len(t) for t in taken] == [100, 100, 50, 0]
    assert [name for t in taken for name in t] == names


def test_nothing_is_read_through_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "b.csv").write_text("secret")
    (root / "inbox" / "a.csv").symlink_to(tmp_path / "secret.csv")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "inbox" / "deep").symlink_to(tmp_path / "outside")
    for glob in ("inbox/*.csv", "linked/*.csv", "**/*.csv"):
        assert Watch(root, path=glob).settled() == []


def test_a_folder_that_becomes_a_link_between_look_and_reading(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "inbox" / "a.csv"
    path.write_text("mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.csv").write_text("else")
    stamp = path.stat().st_mtime_ns
    os.utime(outside / "a.csv", ns=(stamp, stamp))
    watch = Watch(root)
    watch.look()
    read = files._read

    def swapped(*args: Any) -> bytes | None:
        (root / "inbox").rename(root / "gone")
        (root / "inbox").symlink_to(outside)
        return read(*args)

    monkeypatch.setattr(files, "_read", swapped)
    assert watch.look(after=2) == []


def test_a_file_that_changes_while_it_is_read_waits_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "inbox" / "a.csv"
    path.write_text("one")
    watch = Watch(root)
    watch.look()
    read = files._read

    def changing(*args: Any) -> bytes | None:
        with path.open("a") as file:
            file.write(", two")
        return read(*args)

    monkeypatch.setattr(files, "_read", changing)
    assert watch.look(after=2) == []
    monkeypatch.undo()
    assert watch.look(after=1) == []
    assert [e.event["text"] for e in watch.look(after=2)] == ["one, two"]


@pytest.mark.parametrize(
    ("read", "name", "content", "why"),
    [
        ("text", "a.csv", b"\xff\xfe", "Not UTF-8"),
        ("text", "a.csv", b"a\0b", "zero byte"),
        ("json", "a.csv", b"{", "Not JSON"),
        ("json", "a.csv", b"NaN", "NaN is no JSON"),
        ("rows", "a.csv", b"a,b\n1\n", "Row 2 has 1 values for 2 columns"),
        ("rows", "a.csv", b"a,a\n", "Two columns"),
        ("rows", "a.csv", b"", "empty"),
        ("rows", "b.xlsx", b"PK", "not of '.xlsx'"),
        ("text", "a.csv", b"x" * 101, "101 bytes; maxBytes is 100"),
    ],
)
def test_what_cannot_be_read_is_rejected_with_its_reason(
    root: Path, read: str, name: str, content: bytes, why: str
) -> None:
    (root / "inbox" / name).write_bytes(content)
    watch = Watch(root, path="inbox/*", read=read, max_bytes=100)
    (event,) = watch.settled()
    assert why in event.rejected
    assert event.event["path"] == f"inbox/{name}"
    assert watch.settled() == []


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.csv", '\ufeffa,b\n1,"x\ny"\n\n2,ü\n', [{"a": "1", "b": "x\ny"}, {"a": "2", "b": "ü"}]),
        ("a.tsv", "a\tb\n1\t2\n", [{"a": "1", "b": "2"}]),
        ("a.jsonl", '{"a": 1}\n\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ("a.json", '[{"a": [1]}]', [{"a": [1]}]),
    ],
)
def test_rows(root: Path, name: str, content: str, rows: JsonValue) -> None:
    (root / "inbox" / name).write_text(content)
    (event,) = Watch(root, path="inbox/*", read="rows").settled()
    assert event.event["rows"] == rows


def test_none_reads_nothing(root: Path) -> None:
    (root / "inbox" / "a.bin").write_bytes(b"\xff")
    (event,) = Watch(root, path="**/*.bin", read="none").settled()
    assert set(event.event) == {"path", "name", "size", "modified"}


def test_a_folder_that_is_not_there_yet_holds_nothing(root: Path) -> None:
    watch = Watch(root, path="later/*.csv")
    assert watch.look() == []
    (root / "later").mkdir()
    (root / "later" / "a.csv").write_text("x")
    assert len(watch.settled()) == 1


def test_a_pipe_is_no_file(root: Path) -> None:
    os.mkfifo(root / "inbox" / "a.csv")
    assert Watch(root).settled() == []


def test_too_many_files_are_said_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 3)
    for n in range(4):
        (root / "inbox" / f"{n}.csv").touch()
    with pytest.raises(SourceError, match="More than 3 files"):
        Watch(root).look()
