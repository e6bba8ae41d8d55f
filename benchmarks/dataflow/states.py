"""What a value is at a moment, as plain data that can be compared across runs of the same code.

Of a function it is the code, of an instance the attributes, of a generator how far it has got;
addresses are left out. What cannot be looked into, as an iterator of a list, is its type alone.
"""

from __future__ import annotations

import io
import re
from types import CodeType, FunctionType, GeneratorType, ModuleType
from typing import Any, cast

NOTEBOOK = "notebook"
"""The module whose classes are looked into, as they are the cells' own."""

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_PYTHONS_OWN = {"__dict__", "__weakref__", "__firstlineno__", "__static_attributes__"}


def state_of(value: object, *, inside: frozenset[int] = frozenset()) -> object:
    """The state of a value and of all that it holds.

    Args:
        inside: the ids of what holds this value; one that holds itself is not followed again.
    """
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return (type(value).__qualname__, repr(value))
    if id(value) in inside:
        return "itself"
    kind = type(value)
    parts = [state_of(part, inside=inside | {id(value)}) for part in _parts(value)]
    if issubclass(kind, (set, frozenset)):
        parts.sort(key=repr)
    return (kind.__qualname__, *parts)


def _parts(value: object) -> list[object]:
    match value:
        case list() | tuple() | set() | frozenset():
            return list(cast("list[object]", value))
        case dict():
            return [part for item in cast("dict[object, object]", value).items() for part in item]
        case ModuleType():
            return [value.__name__]
        case CodeType():
            return [value.co_code, value.co_names, value.co_consts]
        case FunctionType():
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            return [value.__code__, value.__defaults__, value.__kwdefaults__, cells]
        case GeneratorType():
            frame: Any = value.gi_frame
            return [frame.f_lasti, dict(frame.f_locals)] if frame else []
        case type():
            return [value.__qualname__, _own(value)]
        case io.StringIO():
            return [value.closed or value.getvalue()]
        case _:
            return _parts_of_instance(value)


def _parts_of_instance(value: object) -> list[object]:
    import numpy as np
    import pandas as pd

    match value:
        case np.ndarray() | np.generic():
            array = cast("Any", value)
            return [str(array.dtype), array.shape, array.tolist()]
        case pd.DataFrame() | pd.Series():
            table = cast("Any", value)
            return [str(table.dtypes), table.to_csv()]
        case _ if hasattr(value, "__dict__"):
            return [vars(value)]
        case _:
            return [_ADDRESS.sub("", repr(value))]


def _own(kind: type) -> dict[str, object]:
    if kind.__module__ != NOTEBOOK:
        return {}
    return {name: part for name, part in vars(kind).items() if name not in _PYTHONS_OWN}
