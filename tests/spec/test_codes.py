"""`docs/diagnostics.md` lists every code that the sources give, and no other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
LISTED = Counter(
    re.findall(r"(?m)^\| (AF\d{3}) \|", (ROOT / "docs" / "diagnostics.md").read_text())
)


def given() -> set[str]:
    return {
        code
        for path in (ROOT / "agentflow_dagster").rglob("*.py")
        for code in re.findall(r'"(AF\d{3})"', path.read_text())
    }


def test_every_code_is_listed_once() -> None:
    assert set(LISTED) == given()
    assert set(LISTED.values()) == {1}


def test_each_row_says_what_it_means_with_an_example_and_what_to_do() -> None:
    rows = re.findall(r"(?m)^\| AF\d{3} \|.*$", (ROOT / "docs" / "diagnostics.md").read_text())
    for row in rows:
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[2:-1]]
        assert len(cells) == 3, row
        assert all(cells), row
