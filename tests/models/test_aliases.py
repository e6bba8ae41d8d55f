"""Names of models that are gone, and of a project's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentflow_dagster.models.aliases import ALIASES, resolved

PAGE = Path(__file__).parents[2] / "docs" / "models.md"


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("gpt-4", "openai/gpt-4.1"),
        ("openai/gpt-4", "openai/gpt-4.1"),
        ("azure/gpt-4", "azure/gpt-4"),
        ("ollama/llama-3-8b", "ollama/llama3:8b"),
        ("ollama_chat/llama-3-8b", "ollama/llama3:8b"),
        ("groq/llama-3-8b", "groq/llama-3-8b"),
        ("gpt-4o", "gpt-4o"),
        ("openai/", "openai/"),
    ],
)
def test_an_alias_stands_for_a_model_of_its_own_provider(asked: str, meant: str) -> None:
    assert resolved(asked, {}) == meant


def test_those_of_the_project_go_first() -> None:
    own = {"gpt-4": "acme/big", "house": "gpt-3.5-turbo", "openai/gpt-4": "acme/small"}
    assert resolved("gpt-4", own) == "acme/big"
    assert resolved("openai/gpt-4", own) == "acme/small"
    assert resolved("house", own) == "openai/gpt-4o-mini"


def test_no_more_than_five_are_followed_and_no_circle_forever() -> None:
    chain = {f"m{n}": f"m{n + 1}" for n in range(9)}
    assert resolved("m0", chain) == "m5"
    assert resolved("a", {"a": "b", "b": "a"}) in {"a", "b"}
    assert resolved("same", {"same": "same"}) == "same"


def test_what_an_alias_means_is_no_alias() -> None:
    assert {resolved(name, {}) for name in ALIASES} == set(ALIASES.values())
    assert all(resolved(meant, {}) == meant for meant in ALIASES.values())


def test_the_page_has_them_all() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| `([a-z]+/[^`]+)` \|$", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == ALIASES
