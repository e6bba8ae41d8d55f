"""What to do about a value that cannot pass from one step to the next."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence

REGISTER = "register the type in a setup cell (agentflow_dagster.register_type)"
_ELSEWHERE = "Make it in the node that uses it; pass what it is made from."


def advice(obj: object) -> str:
    """One sentence or two; libraries are looked at only where they are loaded already."""
    return _of_language(obj) or _of_library(obj) or _usual()


def _usual() -> str:
    return f"Pass JSON values, tables, arrays or bytes, or {REGISTER}."


def _of_language(obj: object) -> str:
    is_record = hasattr(obj, "_asdict")
    match obj:
        case tuple() if is_record:
            return "Pass an object: value._asdict()."
        case tuple():
            return "Pass a list: list(value)."
        case set() | frozenset():
            return "Pass a list: sorted(value)."
        case complex():
            return "Pass [value.real, value.imag]."
        case types.FunctionType() | types.BuiltinFunctionType() | types.MethodType() | type():
            return "Functions and classes are shared by a setup cell."
        case types.ModuleType():
            return "Import it in a setup cell."
        case types.CoroutineType():
            return "Run it (asyncio.run) in the node that makes it, and pass what it gives."
        case _ if hasattr(obj, "read") and hasattr(obj, "close"):
            return "Pass what the file holds, or its path; open it in the node that uses it."
        case Iterator() | range():
            return "Pass a list: list(value)."
        case _:
            return ""


def _of_library(obj: object) -> str:
    from dataclasses import is_dataclass
    from datetime import date, time, timedelta, tzinfo
    from decimal import Decimal
    from enum import Enum
    from pathlib import PurePath
    from uuid import UUID

    kind = type(obj)
    match obj:
        case date() | time():
            text = f"{kind.__name__}.fromisoformat"
            return f"Pass its text, value.isoformat(); {text} reads it in the node that takes it."
        case timedelta():
            return "Pass value.total_seconds()."
        case Decimal() | UUID():
            return f"Pass str(value), and make a {kind.__name__} of it in the node that takes it."
        case tzinfo():
            return "Pass its name, str(value)."
        case Enum():
            return "Pass value.value."
        case PurePath():
            return (
                "A file of one node is not there for another: pass what it holds, or str(value) "
                "where the file stays."
            )
        case _ if hasattr(obj, "model_dump"):
            return f'Pass value.model_dump(mode="json"), or {REGISTER}.'
        case _ if is_dataclass(obj):
            return f"Pass dataclasses.asdict(value), or {REGISTER}."
        case Sequence():
            return "Pass a list: list(value)."
        case _:
            return _by_name(kind)


def _by_name(kind: type) -> str:
    root = kind.__module__.partition(".")[0]
    if root in {"_thread", "threading", "socket", "sqlite3", "subprocess", "multiprocessing"}:
        return _ELSEWHERE
    match f"{root}.{kind.__name__}":
        case "re.Pattern":
            return "Pass value.pattern, or compile it in a setup cell."
        case "collections.deque" | "builtins.dict_keys" | "builtins.dict_values":
            return "Pass a list: list(value)."
        case "polars.LazyFrame":
            return "Pass value.collect()."
        case "numpy.MaskedArray":
            return "Pass value.filled(…), and the mask beside it."
        case _ if root == "pandas" and kind.__name__.endswith("Index"):
            return "Pass value.to_series() or value.tolist()."
        case _:
            return ""
