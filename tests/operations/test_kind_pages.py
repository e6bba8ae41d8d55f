"""The pages of the node kinds: current, complete, and with examples that work."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.kind_pages import (
    example_config,
    example_document,
    find_kind,
    page,
    pages,
)
from tests.support.documents import problems

FOLDER = Path(__file__).parents[2] / "docs" / "kinds"
KINDS = builtin_kinds()
each = pytest.mark.parametrize("name", sorted(KINDS))


def test_the_pages_are_current() -> None:
    stale = "make them anew: agentflow kinds --pages docs/kinds"
    assert {p.name: p.read_text() for p in FOLDER.glob("*.md")} == pages(KINDS), stale


@each
def test_its_example_passes_the_check(name: str) -> None:
    kind = KINDS[name]
    assert example_config(kind) is not None, "the example holds a node of the kind"
    found = problems(example_document(kind))
    assert [str(d) for d in found if d.severity == "error"] == []


@each
def test_every_field_is_described(name: str) -> None:
    fields = KINDS[name].config.model_fields.items()
    assert [field for field, told in fields if not told.description] == []
    shown = page(KINDS[name])
    assert all(f"| `{told.alias}` |" in shown for _, told in fields)


def test_what_a_page_says() -> None:
    shown = page(KINDS["transform.table"])
    assert '| `as` | `table`, `rows` | `"table"` |' in shown
    assert "Taken as it stands, without expressions: `sql`." in shown
    assert "| `files` | text by name | empty |" in shown
    assert "`then`, `else`; with" in page(KINDS["logic.if"])
    assert "## Output" not in page(KINDS["logic.if"])


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(UsageError, match=r"no node kind 'ai\.chatt'") as caught:
        find_kind(KINDS, "ai.chatt")
    assert "ai.chat" in caught.value.hint
