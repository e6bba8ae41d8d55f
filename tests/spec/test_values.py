"""Values: what goes in comes out, whatever is stored or sent in between."""

from __future__ import annotations

import json
import math
from array import array
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentflow_dagster.errors import ValueNotStorable
from agentflow_dagster.spec.values import (
    BYTES,
    TABLE,
    Part,
    Value,
    join,
    pack,
    preview,
    split,
    unpack,
)
from tests.support.properties import TEXTS, patiently

LEAVES: st.SearchStrategy[Value] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXTS
    | st.binary(max_size=20).map(lambda data: Part(BYTES, data, {"bytes": len(data)}))
)
KEYS = TEXTS | st.sampled_from(["$part", "$scalar", "$literal"])
VALUES: st.SearchStrategy[Value] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


@patiently(200)
@given(VALUES)
@example({"$part": "p0", "x": Part(BYTES, b"a", {"bytes": 1})})
@example({"$scalar": "inf", "y": math.inf})
@example({"$literal": {"$part": "p0"}})
def test_split_and_join_are_inverses_through_json(value: Value) -> None:
    body, parts = split(value)
    assert join(json.loads(json.dumps(body, allow_nan=False)), parts) == value


@patiently(200)
@given(OBJECTS)
def test_pack_and_unpack_are_inverses(obj: object) -> None:
    assert unpack(pack(obj)) == obj


def test_nan_survives() -> None:
    body, parts = split({"a": [float("nan"), -math.inf]})
    back = join(json.loads(json.dumps(body)), parts)
    assert repr(back) == "{'a': [nan, -inf]}"


def test_tables_keep_their_types_index_and_bytes() -> None:
    frame = pd.DataFrame(
        {"n": [1, 2], "t": ["a", None], "d": pd.to_datetime(["2024-01-01", "2024-01-02"])},
        index=pd.Index(["x", "y"], name="key"),
    )
    packed = pack({"frame": frame})
    assert isinstance(packed, dict)
    part = packed["frame"]
    assert isinstance(part, Part)
    assert part.media_type == TABLE
    assert part.summary == {"rows": 2, "columns": ["n", "t", "d"]}
    back = unpack(join(*split(packed)))
    assert isinstance(back, dict)
    pd.testing.assert_frame_equal(back["frame"], frame)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def test_scalars_of_numpy_become_pythons() -> None:
    packed = pack([np.int64(3), np.float32(0.5), np.bool_(True), np.float64(2.0)])
    assert packed == [3, 0.5, True, 2.0]
    assert isinstance(packed, list)
    assert [type(item) for item in packed] == [int, float, bool, float]


def test_views_of_bytes_are_measured_in_bytes() -> None:
    packed = pack(memoryview(array("q", [1, 2, 3])))
    assert isinstance(packed, Part)
    assert packed.summary == {"bytes": 24}
    assert len(packed.data) == 24


def cyclic() -> list[object]:
    ring: list[object] = []
    ring.append(ring)
    return ring


@pytest.mark.parametrize(
    ("obj", "place"),
    [
        ({"a": [1, {"b": datetime.now(UTC)}]}, "a[1].b"),
        ({"a": {1: "x"}}, "a key 1"),
        ((1, 2), ""),
        ({"s": {1, 2}}, "s"),
        (pd.DataFrame({"mixed": [1, "a"]}), ""),
        (object(), ""),
        (cyclic(), ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_stored_form_is_named_with_its_place(obj: object, place: str) -> None:
    with pytest.raises(ValueNotStorable) as caught:
        pack(obj)
    assert caught.value.path == place
    assert not caught.value.retryable
    assert "cannot pass from one step to the next" in str(caught.value)


def test_a_preview_is_json_and_bounded() -> None:
    assert preview({"a": "é"}) == '{\n  "a": "é"\n}'
    assert preview(Part(BYTES, b"abc", {"bytes": 3})) == '{\n  "$part": "p0",\n  "bytes": 3\n}'
    shortened = preview("x" * 100, limit=50)
    assert len(shortened) == 50
    assert shortened.endswith("…")
