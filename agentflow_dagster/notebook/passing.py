"""What a node's text makes certain that it cannot pass on: an open file, a generator, a lock.

Only a name that one statement at the top of the cell gives, and nothing else in it, is judged: what
is said here is so whenever the node runs to its end.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from agentflow_dagster.notebook.problems import problem
from agentflow_dagster.spec.diagnostics import Position

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agentflow_dagster.notebook.reading import ReadCell
    from agentflow_dagster.notebook.wiring import NodeWiring
    from agentflow_dagster.spec.diagnostics import Diagnostic

_LIST = "Make it a list: list(…)."
_MADE_THERE = "Make it in the node that uses it; pass what it is made from."
_FILE = "Pass what the file holds, or its path; open it in the node that uses it."
_TEXT = "Pass its text, and make it again in the node that takes it."
_DATE = "Pass its text, .isoformat(); .fromisoformat reads it in the node that takes it."

_NEVER: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("open", "io.open"), ("an open file", _FILE)),
    **dict.fromkeys(("tempfile.TemporaryFile", "tempfile.NamedTemporaryFile"), ("a file", _FILE)),
    **dict.fromkeys(("map", "filter", "zip", "iter", "reversed"), ("an iterator", _LIST)),
    "enumerate": ("an iterator", _LIST),
    **{
        f"threading.{kind}": (f"a {kind}", _MADE_THERE)
        for kind in ("Lock", "RLock", "Event", "Condition", "Semaphore", "Thread")
    },
    "sqlite3.connect": ("a connection", _MADE_THERE),
    "socket.socket": ("a socket", _MADE_THERE),
    "subprocess.Popen": ("a process", _MADE_THERE),
}
"""What some calls give, and what to do."""

_NOT_BY_ITSELF: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("set", "frozenset"), ("a set", "Make it a list: sorted(…).")),
    "tuple": ("a tuple", _LIST),
    "range": ("a range", _LIST),
    "complex": ("a complex number", "Pass its two parts in a list."),
    "collections.deque": ("a deque", _LIST),
    "re.compile": ("a compiled pattern", "Pass the pattern's text, or compile it in a setup cell."),
    "pathlib.Path": ("a path", "Pass its text, where the file stays, or what the file holds."),
    "decimal.Decimal": ("a Decimal", _TEXT),
    "uuid.uuid4": ("a UUID", _TEXT),
    "datetime.datetime": ("a datetime", _DATE),
    "datetime.datetime.now": ("a datetime", _DATE),
    "datetime.date": ("a date", _DATE),
    "datetime.date.today": ("a date", _DATE),
    "datetime.timedelta": ("a timedelta", "Pass its seconds: .total_seconds()."),
}
"""The same of types that somebody may register."""


@dataclass(frozen=True, slots=True)
class _Unfit:
    name: str
    what: str
    hint: str
    place: Position
    certain: bool


def cannot_pass(wired: Iterable[NodeWiring], cells: Sequence[ReadCell]) -> Iterator[Diagnostic]:
    """AF635 of what nodes pass on: an error where it cannot pass whatever is registered.

    Args:
        wired: The nodes.
        cells: Every cell.
    """
    setup = [read for read in cells if read.cell.role == "setup"]
    imported = {n: t for read in setup for n, t in _imports(read.cell.source).items()}
    registers = any("register_type" in read.cell.source for read in cells if read.cell.ships)
    for node in wired:
        cell, names = node.cell, node.read.names
        if not (cell.node and cell.node.is_code) or cell.node.is_exact or names.unknown:
            continue
        others = {n for read in cells if read.cell is not cell for n in read.names.defines}
        for unfit in _unfit(cell.source, tuple(sorted(imported.items())), frozenset(others)):
            if unfit.name not in node.outputs or (registers and not unfit.certain):
                continue
            yield problem(
                "AF635",
                f"{cell.title} passes on {unfit.name!r}, {unfit.what}, which no other node can be "
                "given.",
                cell=cell,
                position=unfit.place,
                hint=unfit.hint,
                only_warn=not unfit.certain,
            )


@lru_cache(maxsize=1_000)
def _unfit(
    source: str, imported: tuple[tuple[str, str], ...], others: frozenset[str]
) -> tuple[_Unfit, ...]:
    """What a cell's statements give to names for good.

    Args:
        source: The cell's text.
        imported: What setup cells import, by name.
        others: Names that other cells make.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ()
    bound = _bound(tree)
    own = _imports(source)
    known = {name: target for name, target in imported if name not in bound}
    known |= {name: target for name, target in own.items() if bound.count(name) == 1}
    builtin = {n: n for n in (*_NEVER, *_NOT_BY_ITSELF) if n not in others and n not in bound}
    found: list[_Unfit] = []
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if bound.count(name) == 1:
                if (told := _judged(value, {**builtin, **known})) is not None:
                    what, hint, certain = told
                    place = Position(statement.lineno, statement.col_offset + 1)
                    found.append(_Unfit(name, what, hint, place, certain))
            case _:
                pass
    return tuple(found)


def _judged(value: ast.expr, known: Mapping[str, str]) -> tuple[str, str, bool] | None:
    """What a value is, what to do, and whether nobody can make it pass; None where it may pass."""
    match value:
        case ast.GeneratorExp():
            return "a generator", "Make it a list: put it into [ ].", True
        case ast.Set() | ast.SetComp():
            return "a set", "Make it a list: sorted(…).", False
        case ast.Tuple():
            return "a tuple", "Make it a list: put it into [ ].", False
        case ast.Call(func=func):
            called = _dotted(func, known)
            if called in _NEVER:
                return *_NEVER[called], True
            return (*_NOT_BY_ITSELF[called], False) if called in _NOT_BY_ITSELF else None
        case _:
            return None


def _dotted(func: ast.expr, known: Mapping[str, str]) -> str:
    """What is called, from the module on; "" where that is not known."""
    match func:
        case ast.Name(id=name):
            return known.get(name, "")
        case ast.Attribute(value=inner, attr=attr):
            before = _dotted(inner, known)
            return f"{before}.{attr}" if before else ""
        case _:
            return ""


def _imports(source: str) -> Mapping[str, str]:
    """What a cell imports at its top, by name."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return {}
    found: dict[str, str] = {}
    for statement in statements:
        match statement:
            case ast.Import(names=names):
                found |= {
                    a.asname or a.name: a.name for a in names if a.asname or "." not in a.name
                }
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found |= {a.asname or a.name: f"{module}.{a.name}" for a in names}
            case _:
                pass
    return found


def _bound(tree: ast.Module) -> list[str]:
    """Every name that anything in the text binds, as often as it does; in functions too, since one
    may say `global`."""
    names: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names.append(name)
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                names.append(name)
            case ast.alias(name=name, asname=asname):
                names.append(asname or name.partition(".")[0])
            case ast.Global(names=several):
                names += several
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
                | ast.MatchMapping(rest=str(name))
            ):
                names.append(name)
            case _:
                pass
    return names
