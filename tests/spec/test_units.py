"""Durations and quantities as authors write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow_dagster.spec.units import cores, quantity_bytes, seconds
from tests.support.properties import patiently


@pytest.mark.parametrize(
    ("text", "length"),
    [("250ms", 0.25), ("30s", 30), ("1.5m", 90), ("2h", 7200), ("1h30m", 5400), ("366d", 31622400)],
)
def test_durations(text: str, length: float) -> None:
    assert seconds(text) == pytest.approx(length)


@pytest.mark.parametrize(
    "text",
    ["", "30", "s", "-1s", "1 s", "1S", "0s", "0.0ms", "367d", "1w", "1s\n", "٣s", "1" * 40 + "s"],
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|between"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512Mi", 512 * 1024**2), ("1Gi", 1024**3), ("1.5k", 1500), ("2M", 2_000_000), ("64", 64)],
)
def test_quantities(text: str, size: int) -> None:
    assert quantity_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "0Mi", "1Ti", "1KiB", "-1Mi", "1025Gi", "9" * 400, "٣Mi"]
)
def test_no_quantities(text: str) -> None:
    with pytest.raises(ValueError, match=r"quantity|between"):
        quantity_bytes(text)


@patiently(200)
@given(st.text("0123456789.mshdKMGik ", max_size=40) | st.text(max_size=10))
def test_any_text_is_a_length_or_refused(text: str) -> None:
    for read in (seconds, quantity_bytes, cores):
        try:
            amount = read(text)
        except ValueError as refused:
            amount = None
            said = str(refused)
        else:
            said = ""
        assert amount is None or amount > 0
        assert len(said) < 200


@pytest.mark.parametrize(("text", "amount"), [("200m", 0.2), ("1000m", 1), ("2", 2), ("0.5", 0.5)])
def test_cores(text: str, amount: float) -> None:
    assert cores(text) == pytest.approx(amount)


@pytest.mark.parametrize("text", ["", "0", "0m", "m", "1.5m", "-1", "2000", "1 core", "٣"])
def test_no_cores(text: str) -> None:
    with pytest.raises(ValueError, match=r"cores"):
        cores(text)
