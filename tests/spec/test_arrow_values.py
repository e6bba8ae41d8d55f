"""Tables and arrays come back as what they were."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, cast

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pytest

from agentflow_dagster.errors import ValueNotStorable
from agentflow_dagster.spec.arrow_values import frame_of
from agentflow_dagster.spec.values import ARRAY, TABLE, Part, join, pack, split, unpack


def through(obj: object) -> Any:
    return unpack(join(*split(pack(obj))))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype="f4").reshape(2, 3, 4),
        np.zeros((0, 3)),
        np.array(7),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(10)[::-2],
        np.array([1.5, np.nan, -np.inf], dtype="f2"),
        np.array([True, False]),
        np.array([[1 + 2j], [3 - 4j]], dtype="c8"),
        np.array(["2024-01-01", "NaT"], dtype="M8[s]"),
        np.array([1, 2], dtype="m8[ms]"),
        np.array([["é", ""], ["l\0ng", "x"]]),
        np.array([b"a\0b", b""]),
        np.array([1, 2], dtype=">i4"),
    ],
    ids=lambda a: f"{a.dtype}{list(a.shape)}",
)
def test_arrays_of_any_shape(array: np.ndarray[Any, Any]) -> None:
    part = pack(array)
    assert isinstance(part, Part)
    assert part.media_type == ARRAY
    assert part.summary["shape"] == list(array.shape)
    back = through({"a": array})["a"]
    np.testing.assert_array_equal(back, array)
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()]),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array([1], dtype="f16"),
    ],
    ids=["objects", "structured", "long double"],
)
def test_arrays_that_cannot_pass_are_named(array: object) -> None:
    with pytest.raises(ValueNotStorable, match=r"^rows is a numpy array of .*\.tolist"):
        pack({"rows": array})


def test_masked_arrays_would_lose_their_mask() -> None:
    with pytest.raises(ValueNotStorable, match="filled"):
        pack({"m": np.ma.array([1, 2], mask=[True, False])})


@pytest.mark.parametrize(
    "series",
    [
        pd.Series([1, 2], name="n", index=["x", "y"]),
        pd.Series(["a", None]),
        pd.Series([1.5], name=3),
        pd.Series(pd.to_datetime(["2024-01-01"]), name="when"),
        pd.Series(["a", "b", "a"], dtype="category"),
    ],
    ids=lambda s: str(s.name),
)
def test_series_of_pandas(series: Any) -> None:
    part = pack(series)
    assert isinstance(part, Part)
    assert part.media_type == TABLE
    assert part.summary["rows"] == len(series)
    pd.testing.assert_series_equal(through(series), series)
    assert len(frame_of(part).columns) == 1


def test_tables_of_polars() -> None:
    frame = pl.DataFrame(
        {"n": [1, None], "t": ["a", "é"], "l": [[1], [2, 3]], "c": ["x", "y"]},
        schema_overrides={"c": pl.Categorical},
    )
    part = pack(frame)
    assert isinstance(part, Part)
    assert part.media_type == TABLE
    assert part.summary == {"rows": 2, "columns": ["n", "t", "l", "c"]}
    polars.testing.assert_frame_equal(through(frame), frame)
    assert isinstance(frame_of(part), pd.DataFrame)
    series = pl.Series("n", [1.5, None])
    polars.testing.assert_series_equal(through(series), series)


def test_what_polars_cannot_give_to_arrow_is_named() -> None:
    frame = pl.DataFrame({"o": [object()]})
    said = r"^t is a DataFrame that Arrow cannot hold \(its column 'o' holds Python objects"
    with pytest.raises(ValueNotStorable, match=said):
        pack({"t": frame})
    with pytest.raises(ValueNotStorable, match=r"collect\(\)"):
        pack({"t": pl.LazyFrame({"a": [1]})})


@pytest.mark.parametrize("what", ["DataFrame({'n': [1, 2]})", "Series('n', [1, 2])"])
def test_without_polars_its_tables_come_back_as_pandas(what: str) -> None:
    part = pack(eval(f"pl.{what}"))
    code = (
        "import importlib.util as u, sys\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name: None if name == 'polars' else find(name)\n"
        "from agentflow_dagster.spec.values import Part, unpack\n"
        "value = unpack(Part(sys.argv[1], sys.stdin.buffer.read()))\n"
        "assert 'polars' not in sys.modules\n"
        "print(type(value).__module__.split('.')[0], type(value).__name__, len(value))"
    )
    part = cast("Part", part)
    ran = subprocess.run(
        [sys.executable, "-c", code, part.media_type],
        input=part.data,
        capture_output=True,
        check=True,
    )
    assert ran.stdout.decode().split() == ["pandas", what.partition("(")[0], "2"]
