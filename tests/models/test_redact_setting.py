"""`redact` of `models.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.engine.redaction_rules import BUILT_IN
from agentflow_dagster.errors import UsageError
from agentflow_dagster.models.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_names_and_rules_of_ones_own(tmp_path: Path) -> None:
    own = r"[email, {name: case, pattern: 'CASE-\d+'}]"
    (tmp_path / "models.yaml").write_text(f"redact: {own}")
    rules = read_settings(tmp_path).rules
    assert rules.text("CASE-12 of joe@example.com") == "[case] of [email]"


def test_every_built_in_rule_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(f"redact: [{', '.join(BUILT_IN)}]")
    assert [rule.name for rule in read_settings(tmp_path).rules.rules] == list(BUILT_IN)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("pasport", "no built-in rule 'pasport': write card, iban"),
        ("{name: case, pattern: '(a+'}", r"missing \)"),
        ("{name: case}", "no built-in rule 'case'"),
        ("{name: 'a b', pattern: x}", "must match"),
    ],
)
def test_a_bad_rule_is_told_with_its_place(tmp_path: Path, said: str, told: str) -> None:
    (tmp_path / "models.yaml").write_text(f"redact:\n  - email\n  - {said}\n")
    with pytest.raises(UsageError, match=rf"models.yaml:3:.*{told}"):
        read_settings(tmp_path)
