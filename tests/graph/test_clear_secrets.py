"""Secrets in clear: what is taken for one, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.documents import minimal, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

# Put together here, so that no scanner of this repository takes them for real ones.
RANDOM = "q7Zx9Kd2Lm4Np6Rs8Tv1Wy3Ab5Ce0Fg"


def told(text: str) -> list[tuple[str, str]]:
    node: JsonObject = {"kind": "ai.chat", "with": {"prompt": "{{run.id}}", "system": text}}
    found = problems(minimal({"a": node}))
    return [(d.severity, d.code) for d in found if d.pointer == "/spec/nodes/a/with/system"]


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "token: ghp_" + "a1B2" * 9,
        "sk-ant-" + "api03-" + "a1B2" * 8,
        "sk-proj-" + "a1B2" * 8,
        "AIza" + "Sy" + "a1B2" * 8 + "c",
        "hf_" + "a1B2" * 9,
        "sk_live_" + "a1B2" * 6,
        "https://me:hunter2" + "@host.example/x",
        "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE",
        "Bearer sk-" + "a1B2" * 12,
    ],
)
def test_a_providers_key_is_an_error(text: str) -> None:
    assert told(text) == [("error", "AF503")]


@pytest.mark.parametrize("text", [RANDOM, f"Bearer {RANDOM}", f"key = '{RANDOM}'"])
def test_what_looks_random_is_a_warning(text: str) -> None:
    assert told(text) == [("warning", "AF504")]


@pytest.mark.parametrize(
    "text",
    [
        "Reply to the customer in two short sentences, please.",
        "https://api.example.com/v1/customers/orders/2024-05-06",
        "550e8400-e29b-41d4-a716-446655440000",
        "agents/qa@sha256:" + "0f" * 32,
        "gpt-4o-mini-2024-07-18-something",
        "ThisIsALongCamelCaseName2",
        "Bearer {{secret.TOKEN_OF_THE_TRACKER_2}}",
        "https://me:{{secret.TOKEN}}@host.example/x",
        "{{'" + RANDOM + "'}}",
    ],
)
def test_what_is_none_is_left_alone(text: str) -> None:
    assert [one for one in told(text) if one[1] in {"AF503", "AF504"}] == []
