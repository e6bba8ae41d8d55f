"""Tables and arrays as Arrow, and back as what they were: pandas, polars and numpy.

The schema's metadata says under `agentflow` what a stream was made from, where that is no pandas
DataFrame. A polars frame comes back as pandas where polars is not installed.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.spec.values import ARRAY, TABLE, Part

if TYPE_CHECKING:
    import pandas as pd

    from agentflow_dagster.spec.values import JsonObject, JsonValue

_KEY = b"agentflow"
_COLUMN = "value"
"""The one column of what has no columns of its own."""

_VIEWED = {"c": "", "m": "i8", "M": "i8", "U": "u4", "S": "u1"}
"""Kinds of dtype that Arrow is given as numbers; complex ones as floats of half the size."""


class NotArrow(Exception):
    """Something of these libraries that Arrow cannot hold, and what to do instead."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def is_scalar(obj: object) -> bool:
    """Whether this is one number or text of numpy's."""
    import numpy as np

    return isinstance(obj, np.generic) and not isinstance(obj, np.void)


def scalar(obj: object) -> object:
    """A scalar of numpy's as Python's."""
    return cast("Any", obj).item()


def to_part(obj: object) -> Part | None:
    """A table or an array as it is stored; None for anything else.

    Raises:
        NotArrow: it holds what Arrow cannot.
    """
    kind = type(obj)
    name = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    found = cast("Any", obj)
    import pyarrow as pa

    try:
        match name:
            case "pandas.DataFrame":
                return _table(pa.Table.from_pandas(found), {}, _columns(found))
            case "pandas.Series":
                told: JsonObject = {"is": name, "named": found.name is not None}
                frame = found.to_frame(_COLUMN if found.name is None else found.name)
                return _table(pa.Table.from_pandas(frame), told, _columns(frame))
            case "polars.DataFrame":
                return _table(_of_polars(found), {"is": name}, _columns(found))
            case "polars.Series":
                frame = found.to_frame()
                return _table(_of_polars(frame), {"is": name}, _columns(frame))
            case "numpy.ndarray":
                return _array(found)
            case _:
                return None
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        what = f"{kind.__name__} that Arrow cannot hold ({error})"
        raise NotArrow(what, "Give each column one type, or convert it to text.") from error


def from_part(part: Part) -> object:
    """What a table or an array was packed from."""
    table = _read(part)
    told = _told(table)
    match told.get("is"):
        case "numpy.ndarray":
            return _to_array(table, told)
        case "pandas.Series":
            series = _frame(table).iloc[:, 0]
            return series if told["named"] else series.rename(None)
        case ("polars.DataFrame" | "polars.Series") as name if find_spec("polars") is not None:
            import polars as pl

            frame = cast("Any", pl).from_arrow(table)
            return frame if name == "polars.DataFrame" else frame.to_series(0)
        case "polars.Series":
            return _frame(table).iloc[:, 0]
        case _:
            return _frame(table)


def frame_of(part: Part) -> pd.DataFrame:
    """A table as a pandas DataFrame, whatever it was packed from."""
    return _frame(_read(part))


def _read(part: Part) -> Any:
    import pyarrow as pa

    return pa.ipc.open_stream(part.data).read_all()


def _told(table: Any) -> JsonObject:
    metadata: dict[bytes, bytes] = table.schema.metadata or {}
    return json.loads(metadata.get(_KEY, b"{}"))


def _frame(table: Any) -> Any:
    return table.to_pandas()


def _table(table: Any, told: JsonObject, columns: list[JsonValue]) -> Part:
    return Part(TABLE, _stream(table, told), {"rows": table.num_rows, "columns": columns})


def _stream(table: Any, told: JsonObject) -> bytes:
    import pyarrow as pa

    if told:
        known: dict[bytes, bytes] = table.schema.metadata or {}
        table = table.replace_schema_metadata({**known, _KEY: json.dumps(told).encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _columns(frame: Any) -> list[JsonValue]:
    return [str(c) for c in frame.columns[:50]]


def _of_polars(frame: Any) -> Any:
    """In types that every reader of Arrow knows; polars' newest texts are not among them."""
    import polars as pl

    if name := next((n for n, dtype in frame.schema.items() if _holds_objects(dtype)), None):
        raise ValueError(f"its column {name!r} holds Python objects")
    return frame.to_arrow(compat_level=cast("Any", pl).CompatLevel.oldest())


def _holds_objects(dtype: Any) -> bool:
    """Whether polars keeps mere addresses of what a column holds, which Arrow would be given."""
    import polars as pl

    inner = [getattr(dtype, "inner", None), *(f.dtype for f in getattr(dtype, "fields", ()))]
    return dtype == pl.Object or any(_holds_objects(one) for one in inner if one is not None)


def _array(array: Any) -> Part:
    """The items one after the other, with the shape and dtype beside them.

    Complex numbers go as pairs, times and texts as the whole numbers that they are: Arrow's own
    would lose what stands behind a NUL.
    """
    import numpy as np
    import pyarrow as pa

    kind = array.dtype.kind
    known = kind in _VIEWED or kind in "biuf"
    if not known or array.dtype in (np.longdouble, np.clongdouble):
        raise NotArrow(
            f"numpy array of {array.dtype}",
            "Give it a dtype of numbers or texts, or pass .tolist() or a DataFrame.",
        )
    flat = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False)).reshape(-1)
    items = flat
    if kind == "c":
        items = flat.view(f"f{flat.dtype.itemsize // 2}")
    elif kind in _VIEWED:
        items = flat.view(_VIEWED[kind])
    told: JsonObject = {
        "is": "numpy.ndarray",
        "shape": list(array.shape),
        "dtype": flat.dtype.str,
    }
    data = _stream(pa.table({_COLUMN: pa.array(items)}), told)
    return Part(ARRAY, data, {"shape": list(array.shape), "dtype": str(flat.dtype)})


def _to_array(table: Any, told: JsonObject) -> object:
    import numpy as np

    dtype = np.dtype(cast("str", told["dtype"]))
    items = table.column(0).combine_chunks().to_numpy(zero_copy_only=False)
    flat = items.view(dtype) if dtype.kind in _VIEWED else items.astype(dtype)
    shaped = flat.reshape(cast("list[int]", told["shape"]))
    return shaped if shaped.flags.writeable else shaped.copy()
