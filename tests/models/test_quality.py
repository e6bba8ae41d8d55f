"""How good models are taken to be: as they were measured, else as their names say."""

from __future__ import annotations

import pytest

from agentflow_dagster.models.quality import quality_of


@pytest.mark.parametrize(
    ("model", "quality"),
    [
        ("gpt-4.1", 3),
        ("gpt-4.1-2025-04-14", 3),
        ("gpt-4.1-mini", 2),
        ("gpt-4.1-mini-2025-04-14", 2),
        ("gpt-4.1-nano", 1),
        ("gpt-4o", 2),
        ("gpt-4o-mini", 1),
        ("chatgpt-4o-latest", 2),
        ("gpt-4", 1),
        ("gpt-4-turbo-2024-04-09", 1),
        ("gpt-3.5-turbo", 1),
        ("claude-haiku-4-5-20251001", 2),
        ("anthropic/claude-haiku-4.5", 2),
        ("claude-3-5-haiku-20241022", 1),
        ("claude-3-opus-20240229", 1),
        ("claude-3-5-sonnet-20241022", 2),
        ("claude-opus-4-8", 3),
        ("gemini-2.5-flash", 2),
        ("gemini-2.5-flash-lite", 1),
        ("deepseek-chat", 3),
        ("deepseek-r1-distill-llama-70b", 2),
        ("o3", 3),
        ("o4-mini", 2),
        ("command-a-03-2025", 1),
        ("mistral-large-2411", 1),
        ("llama-3.3-70b-versatile", 1),
        ("Meta-Llama/Llama-3.3-70B-Instruct-Turbo", 1),
        ("glm-4.6", 3),
        ("glm-4.6v", 2),
        ("minimax-m2", 3),
    ],
)
def test_what_was_measured_goes_before_the_name(model: str, quality: int) -> None:
    assert quality_of(model) == quality


@pytest.mark.parametrize(
    ("model", "quality"),
    [
        ("llama3:8b", 1),
        ("mixtral-8x22b", 2),
        ("claude-haiku-5-5", 1),
        ("gpt-6-luna", 1),
        ("gpt-6-sol", 3),
        ("claude-sonnet-9", 3),
        ("mistral-medium-latest", 2),
        ("turbo3", 2),
        ("gemini-2.5-pro", 3),
        ("gemini-4-argon", 2),
    ],
)
def test_of_the_others_the_name_tells(model: str, quality: int) -> None:
    """`gemini` is no `mini`, and `turbo3` no `o3`."""
    assert quality_of(model) == quality
