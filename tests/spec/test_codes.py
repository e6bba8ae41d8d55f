"""The catalogue has every code that the sources give, and no other; the page is made of it."""

from __future__ import annotations

import re
from pathlib import Path

from agentflow_dagster.spec.catalogue import CATALOGUE, explained, page

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "agentflow_dagster"


def given() -> set[str]:
    return {
        code
        for path in SOURCES.rglob("*.py")
        if SOURCES / "spec" / "catalogue" not in path.parents
        for code in re.findall(r'"(AF\d{3})"', path.read_text())
    }


def test_every_code_has_its_entry() -> None:
    assert set(CATALOGUE) == given(), "a code is told in spec/catalogue/, in the file of its group"


def test_the_page_is_what_the_catalogue_says() -> None:
    told = (ROOT / "docs" / "diagnostics.md").read_text()
    assert told == page(), "agentflow check --explain all > docs/diagnostics.md"


def test_every_entry_stands_once_and_is_whole() -> None:
    codes = re.findall(r"(?m)^\| (AF\d{3}) \|", page())
    assert sorted(codes) == sorted(CATALOGUE)
    for code, entry in CATALOGUE.items():
        assert code == entry.code
        for text in (entry.means, entry.example, entry.advice):
            assert text, code
            assert "\n" not in text, code
        assert entry.means in explained(entry)
        assert entry.advice.endswith((".", "?")), code
