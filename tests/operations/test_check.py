"""Checking a file: whichever view it is, every problem has its place in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import DocumentError, UsageError
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import MAX_BYTES, check_file
from tests.support.documents import SAMPLE, SAMPLE_FILE, sample

if TYPE_CHECKING:
    from pathlib import Path

KINDS = builtin_kinds()


def test_a_sound_file_has_a_plan_and_an_identity() -> None:
    found = check_file(SAMPLE_FILE, KINDS, file="sample.agent.yaml")
    assert found.diagnostics == ()
    assert found.require().agent.name == "support-triage"
    assert found.document == sample()
    assert len(found.hash) == 64


def test_json_is_a_view_too(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(sample()))
    assert check_file(path, KINDS).hash == check_file(SAMPLE_FILE, KINDS).hash


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (SAMPLE.replace("ai.classify", "ai.clasify").encode(), "AF301", 17),
        (SAMPLE.replace("kind: Agent", "kind: [").encode(), "AF102", None),
        (SAMPLE.replace("Sorts", "Größe").encode("latin-1", "replace"), "AF109", None),
        (b"#" * (MAX_BYTES + 1), "AF100", None),
    ],
)
def test_a_file_with_errors(tmp_path: Path, content: bytes, code: str, line: int | None) -> None:
    path = tmp_path / "a.agent.yaml"
    path.write_bytes(content)
    found = check_file(path, KINDS, file="a.agent.yaml")
    first = next(d for d in found.diagnostics if d.severity == "error")
    assert (first.code, first.file) == (code, "a.agent.yaml")
    if line is not None:
        assert first.line == line
    assert found.plan is None
    with pytest.raises(DocumentError):
        found.require()


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.agent.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SAMPLE.encode())
    assert check_file(path, KINDS).plan is not None


def test_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file"):
        check_file(tmp_path / "a.agent.yaml", KINDS)
