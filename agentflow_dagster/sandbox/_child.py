"""What runs in the child process: one author's code, once, then the process ends itself.

Started as a script (`python _child.py PARENT_PID FOLDER`), never imported by the child, so that it
loads nothing but what it needs: a trivial call must cost milliseconds. The parent imports `encode`
and `decode` from here.

    stdin   the request, then nothing; it ends when the parent does (the author's code has another)
    stdout  the reply, on a descriptor that the author's prints do not reach
    stderr  whatever the code prints, on either of its own two streams
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import struct
import sys
import types
from typing import TYPE_CHECKING, TypedDict, cast

if __name__ == "__main__":  # the package may run from a folder that is not installed
    sys.path.append(__file__.rsplit(os.sep, 3)[0])

from agentflow_dagster.errors import AgentFlowError
from agentflow_dagster.spec.values import TYPED, Part, join, pack, split, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from traceback import TracebackException

    from agentflow_dagster.spec.values import JsonObject, JsonValue, Value

SETUP = "<setup>"
LAST_LINES = "last_lines"
_LENGTH = struct.Struct(">Q")
_HEADROOM = 64 * 1024**2
"""Bytes that the reply about an exhausted memory may take."""


class Order(TypedDict):
    """What the parent asks for; `inputs` follow with their parts."""

    source: str
    setup: str
    filename: str
    outputs: list[str]
    memory_bytes: int
    file_bytes: int
    output_bytes: int
    inputs: JsonValue


class Failure(TypedDict):
    """How the code failed."""

    message: str
    traceback: str
    retryable: bool


class Reply(TypedDict, total=False):
    """What the child answers: one of the two."""

    outputs: JsonValue
    failure: Failure


def encode(body: JsonValue, parts: Mapping[str, Part]) -> bytes:
    """One message: its length, a JSON head, then the parts' own bytes."""
    listing: list[JsonValue] = [
        [key, part.media_type, dict(part.summary), len(part.data)] for key, part in parts.items()
    ]
    head = json.dumps([body, listing]).encode()
    data = b"".join([_LENGTH.pack(len(head)), head, *(part.data for part in parts.values())])
    return _LENGTH.pack(len(data)) + data


def decode(message: bytes | bytearray) -> tuple[JsonValue, dict[str, Part]] | None:
    """The inverse of `encode`; None while the message is not whole."""
    if len(message) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack_from(message)
    if len(message) < _LENGTH.size + size:
        return None
    view = memoryview(message)[_LENGTH.size :]
    (head_size,) = _LENGTH.unpack_from(view)
    at = _LENGTH.size + head_size
    body, listing = json.loads(bytes(view[_LENGTH.size : at]))
    parts: dict[str, Part] = {}
    for key, media_type, summary, length in listing:
        parts[key] = Part(media_type, bytes(view[at : at + length]), summary)
        at += length
    return body, parts


def main() -> None:
    """Runs one request and ends this process with everything it started."""
    parent, folder = int(sys.argv[1]), sys.argv[2]
    _die_with(parent)
    message = _request()
    _leave_a_watch(folder)
    reply = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] # a TextIOWrapper here
    _remember_last_lines(os.path.join(folder, LAST_LINES))  # no pathlib here
    received = decode(message)
    del message
    assert received is not None, "a whole request was read"
    me = os.getpid()
    answer = _answer(cast("Order", received[0]), received[1])
    if os.getpid() != me:  # a process that the author forked and let run on: it has no say
        os._exit(0)
    _send(reply, answer)
    # Its own group and nothing else: what the code left running ends here, and no library's
    # finaliser delays the reply. The parent goes by the reply, not by how this process ended.
    if os.getpgrp() == me:
        os.killpg(me, signal.SIGKILL)
    os._exit(0)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def _request() -> bytes:
    """The whole request; the process ends where the parent ends in the middle of it."""
    length = sys.stdin.buffer.read(_LENGTH.size)
    if len(length) == _LENGTH.size:
        rest = sys.stdin.buffer.read(*_LENGTH.unpack(length))
        if len(rest) == _LENGTH.unpack(length)[0]:
            return length + rest
    os._exit(1)


def _leave_a_watch(folder: str) -> None:
    """Leaves a process in the group that clears up should the parent end before this one.

    A parent that lives kills it with the rest of the group. It is forked twice, so that the
    author's code has no child that it does not know of.
    """
    if (first := os.fork()) != 0:
        os.waitpid(first, 0)
        return
    runner = os.getppid()
    if os.fork() != 0:
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.read(0, 1)
    # Its id stays taken while the group has members, but it may be gone by its own PDEATHSIG.
    with contextlib.suppress(ProcessLookupError):
        os.kill(runner, signal.SIGKILL)
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _remember_last_lines(path: str) -> None:
    """Has the interpreter write where it was at a crash, or when asked to end (SIGTERM)."""
    file = open(path, "w")  # noqa: SIM115 # open while the process lives; no pathlib here
    faulthandler.enable(file=file, all_threads=False)
    faulthandler.register(signal.SIGTERM, file=file, all_threads=False, chain=True)


def _answer(order: Order, parts: Mapping[str, Part]) -> bytes:
    try:
        _limit(order)
        answer = encode(*_run(order, parts))
        if len(answer) > order["output_bytes"]:
            raise _Failed(
                f"{order['filename']}: the outputs take {len(answer):,} bytes; the limit is "
                f"{order['output_bytes']:,}. Pass a summary on, or write the data to a store."
            )
        return answer
    except _Failed as failed:
        failure = failed.failure
    except MemoryError:
        _use_headroom()
        failure = _Failed(_past_memory(order)).failure
    except ValueError as error:  # json: an integer with more digits than Python writes out
        failure = _Failed(f"{order['filename']}: an output cannot be stored: {error}.").failure
    return encode({"failure": cast("JsonObject", failure)}, {})


def _limit(order: Order) -> None:
    """Bounds memory by RLIMIT_DATA: it counts what a process could write to.

    RLIMIT_AS would also count what libraries only reserve: measured with pandas 3, numpy 2.4 and
    pyarrow 26 on four threads, 1,558 MiB of address space for 112 MiB in use.
    """
    import resource

    used = 0
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[5]) * resource.getpagesize()
    data = used + order["memory_bytes"]
    _set_limit(resource.RLIMIT_DATA, data, data + _HEADROOM)
    _set_limit(resource.RLIMIT_FSIZE, order["file_bytes"], order["file_bytes"])
    _set_limit(resource.RLIMIT_CORE, 0, 0)


def _set_limit(kind: int, soft: int, hard: int) -> None:
    import resource

    ceiling = resource.getrlimit(kind)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def _use_headroom() -> None:
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _run(order: Order, parts: Mapping[str, Part]) -> tuple[JsonValue, dict[str, Part]]:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module  # where dataclasses, pickle and typing look names up
    namespace = module.__dict__
    inputs = cast("dict[str, Value]", join(order["inputs"], parts))
    later = [name for name, value in inputs.items() if parts and _holds_typed(value)]
    namespace.update(_opened({n: v for n, v in inputs.items() if n not in later}, order))
    _execute(order["setup"], SETUP, namespace, order)
    if later:  # of types that the setup has registered
        namespace.update(_opened({n: v for n, v in inputs.items() if n in later}, order))
    _execute(order["source"], order["filename"], namespace, order)
    sys.stdout.flush()
    return _collect(order, namespace)


def _holds_typed(value: Value) -> bool:
    match value:
        case Part():
            return value.media_type == TYPED
        case dict():
            return any(map(_holds_typed, value.values()))
        case list():
            return any(map(_holds_typed, value))
        case _:
            return False


def _opened(inputs: Mapping[str, Value], order: Order) -> dict[str, object]:
    opened: dict[str, object] = {}
    for name, value in inputs.items():
        try:
            opened[name] = unpack(value)
        except AgentFlowError as error:
            raise _Failed(f"{order['filename']}: its input {name!r}: {error}") from None
    return opened


def _execute(source: str, filename: str, namespace: dict[str, object], order: Order) -> None:
    import linecache

    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    try:
        exec(compile(source, filename, "exec", dont_inherit=True), namespace)  # noqa: S102 # our task
    except MemoryError as error:
        _use_headroom()
        raise _Failed(_past_memory(order), _traceback(error, order)) from None
    except SystemExit as error:
        code = "" if error.code is None else repr(error.code)
        said = f"{order['filename']} called exit({code}): a node must run to its end."
        raise _Failed(said, _traceback(error, order)) from None
    except BaseException as error:  # noqa: BLE001 # told to the parent, whatever it is
        again = not isinstance(error, SyntaxError)
        raise _Failed(_told(error, order), _traceback(error, order), retryable=again) from None


def _collect(order: Order, namespace: dict[str, object]) -> tuple[JsonValue, dict[str, Part]]:
    filename = order["filename"]
    if missing := [repr(name) for name in order["outputs"] if name not in namespace]:
        raise _Failed(f"{filename} ended without defining {', '.join(missing)}.")
    try:
        body, parts = split(pack({name: namespace[name] for name in order["outputs"]}))
    except AgentFlowError as error:
        raise _Failed(f"{filename}: {error}") from None
    except RecursionError:
        raise _Failed(f"{filename}: an output is nested too deep.") from None
    return {"outputs": body}, parts


class _Failed(Exception):
    def __init__(self, message: str, traceback: str = "", *, retryable: bool = False) -> None:
        super().__init__(message)
        self.failure = Failure(message=message, traceback=traceback, retryable=retryable)


def _past_memory(order: Order) -> str:
    mib = order["memory_bytes"] / 1024**2
    return f"{order['filename']} went past its memory limit of {mib:,.0f} MiB."


def _told(error: BaseException, order: Order) -> str:
    """One line: where in the author's code it happened, and what."""
    name = type(error).__name__
    frames = _author_frames(error, order).stack
    place = order["filename"]
    if isinstance(error, SyntaxError):
        place = f"{error.filename}, line {error.lineno}"
        return f"{place}: {name}: {error.msg}"
    if frames:
        place = f"{frames[-1].filename}, line {frames[-1].lineno}"
    return f"{place}: {name}: {error}" if str(error) else f"{place}: {name}"


def _traceback(error: BaseException, order: Order) -> str:
    return "".join(_author_frames(error, order).format())


def _author_frames(error: BaseException, order: Order) -> TracebackException:
    """The traceback without frames of libraries and of this file."""
    import traceback

    mine = {order["filename"], SETUP}

    def cut(told: TracebackException) -> None:
        told.stack = traceback.StackSummary.from_list(f for f in told.stack if f.filename in mine)
        for inner in told.exceptions or ():
            cut(inner)
        for link in ("__cause__", "__context__"):
            if (other := cast("TracebackException | None", getattr(told, link))) is None:
                continue
            cut(other)
            if not other.stack:  # raised and handled inside a library: not the author's business
                setattr(told, link, None)

    told = traceback.TracebackException.from_exception(error)
    cut(told)
    return told


def _send(descriptor: int, answer: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(answer)


if __name__ == "__main__":
    main()
