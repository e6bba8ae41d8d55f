"""What `--fix` mends, what it leaves to the author, and that the rest of the file stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.mend import mend_file, mend_text
from tests.support.documents import SAMPLE
from tests.support.mistakes import DOCUMENTS

if TYPE_CHECKING:
    from pathlib import Path

KINDS = builtin_kinds()


def mended(text: str) -> str:
    return mend_text(text, KINDS, file="a.agent.yaml").text


@pytest.mark.parametrize(
    ("slip", "right"),
    [
        ("max_attempts: 3", "maxAttempts: 3"),
        ("MaxAttempts: 3", "maxAttempts: 3"),
        ("maxAttemps: 3", "maxAttempts: 3"),
        ('maxAttempts: "3"', "maxAttempts: 3"),
        ('"max_attempts": "3"', '"maxAttempts": 3'),
    ],
)
def test_a_slip_in_a_field(slip: str, right: str) -> None:
    text = SAMPLE.replace("maxAttempts: 3", slip)
    assert text != SAMPLE
    assert mended(text) == SAMPLE.replace("maxAttempts: 3", right)


@pytest.mark.parametrize(
    ("slip", "right"),
    [
        ("30", "30s"),
        ("30 s", "30s"),
        ("30 seconds", "30s"),
        (".5s", "0.5s"),
        ("5 min", "5m"),
        ("2 Hours", "2h"),
    ],
)
def test_a_duration(slip: str, right: str) -> None:
    text = SAMPLE.replace("timeout: 30s", f"timeout: {slip}")
    assert mended(text) == SAMPLE.replace("timeout: 30s", f"timeout: {right}")


@pytest.mark.parametrize(
    ("old", "slip"),
    [
        ("apiVersion: agentflow.io/v1\n", ""),
        ("backoff: exponential}, timeout", "backoff: Exponental}, timeout"),
        ("method: POST, url", "method: post, url"),
        ("env: [TRACKER]", "env: [TRACKER, HOST, OTHER]"),
        ("secrets: [TRACKER_TOKEN]", "secrets: [OLD, TRACKER_TOKEN]"),
        ("onUnknown: review", "on_unknown: review"),
    ],
)
def test_what_has_one_meaning_is_as_it_was(old: str, slip: str) -> None:
    text = SAMPLE.replace(old, slip, 1)
    assert text != SAMPLE
    assert mended(text) == SAMPLE


@pytest.mark.parametrize(
    ("old", "slip"),
    [
        ("timeout: 30s", "timeout: soon"),
        ("kind: ai.chat", "kind: ai.caht"),
        ("maxAttempts: 3", "tries: 3"),
        ("maxAttempts: 3", "maxAttempts: many"),
        ("maxAttempts: 3", "maxAttempts: 3, max_attempts: 4"),
        ("agentflow.io/v1", "agentflow.io/v2"),
        ("{{input.body}}", "{{input.bdy}}"),
        ("secrets: [TRACKER_TOKEN]", "secrets: []"),
    ],
)
def test_what_may_mean_something_else_is_left(old: str, slip: str) -> None:
    text = SAMPLE.replace(old, slip)
    assert text != SAMPLE
    assert mended(text) == text


def test_an_input_that_nothing_reads_stays_since_callers_may_give_it() -> None:
    text = str(DOCUMENTS["AF705"])
    assert mended(text) == text


def test_the_file_keeps_its_mark_and_its_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.agent.yaml"
    text = SAMPLE.replace("timeout: 30s", "timeout: 30").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    shown = mend_file(path, KINDS, write=False)
    assert path.read_bytes() == b"\xef\xbb\xbf" + text.encode()
    assert "+  defaults: {llm: {model: gpt-4o-mini}" in shown.diff
    mend_file(path, KINDS, write=True)
    right = text.replace("timeout: 30}", "timeout: 30s}")
    assert path.read_bytes() == b"\xef\xbb\xbf" + right.encode()


def test_a_notebook_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text("{}")
    assert mend_file(path, KINDS, write=True).diff == ""
    assert path.read_text() == "{}"
