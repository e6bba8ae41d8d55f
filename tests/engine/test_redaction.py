"""Secrets are masked in every form in which they are likely to be written."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentflow_dagster.engine.redaction import MASK, MIN_LENGTH, Redactor
from agentflow_dagster.spec.values import BYTES, Part, pack, unpack
from tests.support.properties import TEXTS, VALUES, patiently

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonValue, Value

SECRET = 'tök/en+"42" \\x'
DATA = SECRET.encode()


def in_base64(before: bytes, after: bytes) -> str:
    return base64.b64encode(before + DATA + after).decode()


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote_plus(SECRET).replace("%2F", "%2f").replace("%C3%B6", "%c3%b6"),
        quote(SECRET).lower(),
        json.dumps(SECRET),
        json.dumps(SECRET).replace("00f6", "00F6"),
        json.dumps({"a": SECRET}, ensure_ascii=False),
        json.dumps(json.dumps({"a": SECRET})),
        json.dumps(json.dumps(json.dumps([SECRET], ensure_ascii=False))),
        json.dumps(SECRET).replace("/", "\\/"),
        repr(SECRET),
        repr(f"it's {SECRET}"),
        ascii([SECRET]),
        SECRET.encode("ascii", "backslashreplace").decode(),
        html.escape(SECRET),
        DATA.hex(),
        DATA.hex().upper(),
        base64.b64encode(DATA).decode(),
        base64.b64encode(DATA).decode().rstrip("="),
        base64.urlsafe_b64encode(DATA).decode(),
        in_base64(b"", b"tail"),
        in_base64(b"u", b""),
        in_base64(b"us", b"x"),
        in_base64(b"user:", b"xyz"),
        base64.urlsafe_b64encode(b"user:" + DATA).decode(),
    ],
)
def test_no_form_comes_through(written: str) -> None:
    redacted = Redactor([SECRET]).text(f"before {written} after")
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert MASK in redacted
    for rest in (SECRET, DATA.hex(), quote(SECRET), base64.b64encode(DATA).decode()[2:-4]):
        assert rest not in redacted
    assert len(redacted) < len("before  after") + 20


def test_what_is_no_secret_stays() -> None:
    redactor = Redactor(["hunter22"])
    assert redactor.text("hunter2 and hunter 22") == "hunter2 and hunter 22"
    assert Redactor([]).text("anything") == "anything"
    assert Redactor([]).value({"a": ["anything"]}) == {"a": ["anything"]}


def test_a_text_of_backslashes_takes_no_time() -> None:
    text = "\\" * 20_000
    assert Redactor(['\\\\"\\secret', '"/quoted']).text(text) == text


def test_a_secret_inside_another_leaves_nothing_of_the_longer() -> None:
    assert Redactor(["secret", "secret-longer"]).text("a secret-longer b") == f"a {MASK} b"


def test_values_are_masked_in_keys_lists_and_summaries() -> None:
    redactor = Redactor(["hunter22"])
    part = Part(BYTES, b"..hunter22..", {"note": "hunter22", "columns": ["hunter22"]})
    found = redactor.value({"hunter22": ["x hunter22", 1, None, True], "p": part})
    assert found == {
        MASK: [f"x {MASK}", 1, None, True],
        "p": Part(BYTES, b"..********..", {"note": MASK, "columns": [MASK]}),
    }


def test_a_table_stays_a_table() -> None:
    frame = pd.DataFrame({"n": [1, 2], "t": ["hunter22", "ok"]})
    found = unpack(Redactor(["hunter22"]).value(pack(frame)))
    assert isinstance(found, pd.DataFrame)
    assert found["t"].tolist() == ["********", "ok"]
    assert found["n"].tolist() == [1, 2]


@patiently(200)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=MIN_LENGTH), TEXTS, TEXTS)
def test_any_secret_in_any_text(secret: str, before: str, after: str) -> None:
    assume(secret not in before + MASK + after)
    assert secret not in Redactor([secret]).text(before + secret + after).replace(MASK, "")


@patiently()
@given(VALUES)
def test_a_value_without_secrets_is_the_same(value: JsonValue) -> None:
    packed: Value = pack(value)
    assert Redactor(["\x00no such secret\x00"]).value(packed) == packed
