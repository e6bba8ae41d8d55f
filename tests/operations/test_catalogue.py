"""Every diagnostic of the catalogue really happens, and is told as the catalogue says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.spec.catalogue import CATALOGUE
from tests.notebook.conftest import notebook_json
from tests.support.mistakes import DOCUMENTS, NOTEBOOKS

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.spec.diagnostics import Diagnostic

AGENTS = {"qa": ["v1"]}
WITHOUT_PLACE = {"AF100", "AF101", "AF109", "AF601", "AF602", "AF624", "AF625"}
"""What is said of a file as a whole."""

ELSEWHERE = {
    "AF628": "what is sound and small can be a notebook",
    "AF808": "tests/spec/test_builder.py: a Python file",
}
"""What no file that `check` reads can produce with the kinds that every test has, and where it is
tested."""


def told(folder: Path, code: str) -> list[Diagnostic]:
    """What is told of the example of a code, as far as it is this code."""
    if code in DOCUMENTS:
        path, content = folder / "a.agent.yaml", DOCUMENTS[code]
    else:
        path, content = folder / "a.ipynb", NOTEBOOKS[code]
        settings: object = [] if code == "AF625" else None
        content = notebook_json(content, settings) if content.startswith("---") else content
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    kinds = builtin_kinds()
    return [d for d in check_file(path, kinds, agents=AGENTS).diagnostics if d.code == code]


def test_every_code_has_an_example() -> None:
    assert set(CATALOGUE) == {*DOCUMENTS, *NOTEBOOKS, *ELSEWHERE}


@pytest.mark.parametrize("code", sorted(CATALOGUE.keys() - ELSEWHERE.keys()))
def test_it_happens_and_is_told(tmp_path: Path, code: str) -> None:
    found, *_ = told(tmp_path, code)
    assert found.severity == CATALOGUE[code].severity
    assert re.fullmatch(r".{10,}\.", found.message, re.DOTALL), found.message
    assert found.hint == "" or found.hint.endswith((".", "?")), found.hint
    assert (found.line is None) <= (code in WITHOUT_PLACE), found


def test_no_message_repeats_a_secret(tmp_path: Path) -> None:
    for code in ("AF503", "AF504"):
        (found,) = told(tmp_path, code)
        assert "a1B2" not in str(found)
        assert "q7Zx" not in str(found)
