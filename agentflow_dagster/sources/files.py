"""Files as events: each version of a file under the data folder that matches a glob, once.

Symbolic links are passed over, so that nothing outside the folder is read. A file counts as written
once two looks, `settle` apart or more, saw the same size and time of change: that holds for files
that are still growing, and for those that come with an old time of change.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias, cast

from agentflow_dagster.errors import SourceError
from agentflow_dagster.ports.events import Polled, SourceEvent
from agentflow_dagster.sources.reading import Unreadable, read_content
from agentflow_dagster.spec.globs import base_of, matches
from agentflow_dagster.spec.units import seconds as seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agentflow_dagster.spec.triggers import FileWatch
    from agentflow_dagster.spec.values import JsonObject, JsonValue

MAX_FILES = 20_000
"""Most files that one trigger keeps an eye on; its cursor has a line for each."""
_MAX_BYTES_A_POLL = 20_000_000

_Version: TypeAlias = tuple[int, int]
"""Size, and time of change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """One file trigger.

    Args:
        root: The data folder.
        watch: The trigger's part of the document.
        clock: Unix seconds.
    """

    root: Path
    watch: FileWatch
    clock: Callable[[], float] = field(default=time.time)

    def poll(self, cursor: JsonValue, *, limit: int, seconds: float) -> Polled:
        """Files that have settled since the cursor, in order of their paths.

        Raises:
            SourceError: the folder cannot be read, takes too long, or holds too many files.
        """
        deadline = time.monotonic() + seconds
        now = self.clock()
        known = _known(cursor)
        settle = seconds_of(self.watch.settle)
        events: list[SourceEvent] = []
        size = 0
        seen: JsonObject = {}
        # The whole folder first: what is left of the time is for reading, and for later polls.
        for path, version in list(self._found(deadline - seconds / 2)):
            before = known.get(path)
            same = before is not None and before.version == version
            if before is not None and same and before.done:
                seen[path] = [*version]
                continue
            since = before.since if before is not None and same else now
            ready = before is not None and same and not 0 <= now - since < settle
            room = len(events) < limit and size < _MAX_BYTES_A_POLL
            if ready and room and time.monotonic() < deadline:
                event = self._event(path, version)
                if event is not None:
                    events.append(event)
                    size += version[0]
                    seen[path] = [*version]
                    continue
                since = now  # It changed while it was read.
            seen[path] = [*version, since]
        return Polled(events, seen)

    def _found(self, deadline: float) -> Iterator[tuple[str, _Version]]:
        root = self.root.resolve()
        base = root
        for part in base_of(self.watch.path):
            base /= part
            if base.is_symlink():
                return
        if not base.is_dir():
            return
        count = 0
        for path, version in _files(root, base, deadline):
            if matches(path, self.watch.path):
                count += 1
                if count > MAX_FILES:
                    raise SourceError(
                        f"More than {MAX_FILES:,} files match {self.watch.path!r}.",
                        hint="Move those that are done to another folder.",
                    )
                yield path, version

    def _event(self, path: str, version: _Version) -> SourceEvent | None:
        """The event of one version; None where the file is another by now."""
        size, changed_ns = version
        event: JsonObject = {
            "path": path,
            "name": path.rpartition("/")[2],
            "size": size,
            "modified": datetime.fromtimestamp(changed_ns / 1e9, UTC).isoformat(),
        }
        told = f"{path}\0{size}\0{changed_ns}".encode("utf-8", "surrogateescape")
        key = f"file-{hashlib.sha256(told).hexdigest()}"
        try:
            path.encode()
            if size > self.watch.max_bytes:
                raise Unreadable(f"It has {size:,} bytes; maxBytes is {self.watch.max_bytes:,}.")
            if self.watch.read != "none":
                data = _read(self.root.resolve(), path, version)
                if data is None:
                    return None
                event[self.watch.read] = read_content(data, path, self.watch.read)
        except UnicodeEncodeError:
            event |= {"path": ascii(path), "name": ascii(event["name"])}
            return SourceEvent(key, event, rejected=f"{path!a}: its name is not UTF-8.")
        except (Unreadable, OSError) as problem:
            return SourceEvent(key, event, rejected=f"{path}: {problem}")
        return SourceEvent(key, event)


@dataclass(frozen=True, slots=True)
class _Seen:
    version: _Version
    since: float
    done: bool


def _known(cursor: JsonValue) -> dict[str, _Seen]:
    """`{path: [size, changed_ns]}` of files that are done, with `since` of those that are not."""
    known: dict[str, _Seen] = {}
    for path, told in cast("dict[str, list[float]]", cursor or {}).items():
        size, changed, *since = told
        known[path] = _Seen((int(size), int(changed)), *since or (0.0,), done=not since)
    return known


def _files(root: Path, base: Path, deadline: float) -> Iterator[tuple[str, _Version]]:
    """Regular files below a folder, by path from the root; links are passed over."""

    def unreadable(problem: OSError) -> None:
        if not isinstance(problem, FileNotFoundError):
            raise SourceError(f"The folder {problem.filename!r} cannot be read: {problem}.")

    for folder, folders, names in os.walk(base, onerror=unreadable):
        folders.sort()
        for name in sorted(names):
            if time.monotonic() > deadline:
                raise SourceError(
                    f"Looking through {base.name!r} took too long.",
                    hint="Watch a smaller folder, or move files that are done away.",
                )
            full = os.path.join(folder, name)  # noqa: PTH118 - a Path for each would cost the most
            try:
                found = os.lstat(full)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode):
                path = os.path.relpath(full, root).replace(os.sep, "/")
                yield path, (found.st_size, found.st_mtime_ns)


def _read(root: Path, path: str, version: _Version) -> bytes | None:
    """The bytes of that very version; None where the file is another by now.

    Raises:
        OSError: it cannot be read.
    """
    full = root / path
    try:
        opened = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(opened, "rb") as file:
        if _version(file.fileno()) != version or full.parent.resolve() != full.parent:
            return None
        data = file.read(version[0] + 1)
        return data if _version(file.fileno()) == version and len(data) == version[0] else None


def _version(descriptor: int) -> _Version | None:
    found = os.fstat(descriptor)
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None
