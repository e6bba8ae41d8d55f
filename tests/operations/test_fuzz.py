"""No file makes a traceback: texts and documents torn apart are told of, and mended, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file, check_text
from agentflow_dagster.operations.excerpts import excerpt
from agentflow_dagster.operations.mend import mend_text
from tests.support.documents import SAMPLE
from tests.support.mistakes import DOCUMENTS
from tests.support.mutations import mutated
from tests.support.properties import patiently

if TYPE_CHECKING:
    from pathlib import Path

KINDS = builtin_kinds()
TEXTS = [SAMPLE, *(d for d in DOCUMENTS.values() if isinstance(d, str) and len(d) < 5_000)]
ODD = [
    *(
        "{{",
        "}}",
        "'",
        '"',
        "&a ",
        "*a",
        "!!",
        "- ",
        ": ",
        "\t",
        "\r",
        "\0",
        "\ufeff",
        "🎫",
        "[" * 70,
    ),
    *("[" * 70, "\ud800", "\x85", "\u2028", "<<: ", "? ", "|\n", ">-\n", "%YAML 1.1\n", "---\n"),
    "9" * 400,
]


@st.composite
def torn(draw: st.DrawFn) -> str:
    """A text that is good or has a mistake, pieces of it cut, doubled or strewn in."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(st.sampled_from(["", text[start:end] * 2, *ODD]))
        at = draw(st.sampled_from([start, start, draw(st.integers(0, len(text)))]))
        text = text[:start] + text[end:] if at != start else text[:start] + piece + text[end:]
        text = text if at == start else text[:at] + piece + text[at:]
    return text


def holds(text: str) -> None:
    """What has to hold of every text."""
    checked = check_text(text, KINDS, file="a.yaml", agents={"qa": ["v1"]})
    for found in checked.diagnostics:
        assert found.message
        assert found.code.startswith("AF")
        json.dumps(found.to_json())
        line = excerpt(text, found)
        assert line is None or 0 <= line.start <= len(line.text)
    assert (checked.plan is None) == any(d.severity == "error" for d in checked.diagnostics)
    mended = mend_text(text, KINDS, file="a.yaml")
    assert mend_text(mended.text, KINDS, file="a.yaml").text == mended.text
    if not any(d.fix for d in checked.diagnostics):
        assert mended.text == text


@patiently(120)
@given(torn())
@example("")
@example("\ufeff")
@example("{}")
@example("kind: Workflow")
@example("spec: {agents: [1]}\nkind: Workflow\napiVersion: agentflow.io/v1")
def test_torn_texts(text: str) -> None:
    holds(text)


@patiently(80)
@given(st.data())
def test_documents_with_places_changed(data: st.DataObject) -> None:
    holds(json.dumps(mutated(data)))


@patiently(60)
@given(data=st.binary(max_size=300))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("a.yaml", "a.ipynb"):
        path: Path = folder / name
        path.write_bytes(data)
        assert check_file(path, KINDS).diagnostics


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@patiently(20_000)
@given(torn())
def test_torn_texts_for_long(text: str) -> None:
    holds(text)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@patiently(20_000)
@given(st.data())
def test_documents_with_places_changed_for_long(data: st.DataObject) -> None:
    holds(json.dumps(mutated(data)))
