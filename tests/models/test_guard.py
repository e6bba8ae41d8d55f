"""Tests call no real models."""

from __future__ import annotations

import os

import pytest

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models.guard import VARIABLE, refuse_real_call

REFUSING = {VARIABLE: "0"}


@pytest.mark.parametrize(
    "base",
    ["http://127.0.0.1:8000/v1", "http://localhost:11434", "http://[::1]:1", "http://127.3.2.1"],
)
def test_this_machine_may_be_called(base: str):
    refuse_real_call(base, provider="openai", model="gpt-4o", environment=REFUSING)


@pytest.mark.parametrize(
    "base",
    [None, "", "https://api.openai.com/v1", "http://localhost.example.com", "http://10.0.0.1", "x"],
)
def test_others_may_not(base: str | None):
    with pytest.raises(ModelError, match=r"'gpt-4o' of 'openai'") as raised:
        refuse_real_call(base, provider="openai", model="gpt-4o", environment=REFUSING)
    assert not raised.value.retryable
    assert f"{VARIABLE}=1" in raised.value.hint


@pytest.mark.parametrize("environment", [{}, {VARIABLE: "1"}])
def test_outside_of_tests_all_may_be_called(environment: dict[str, str]):
    refuse_real_call(None, provider="openai", model="gpt-4o", environment=environment)


def test_our_own_tests_are_guarded():
    assert os.environ[VARIABLE] == "0"


@pytest.mark.real_models
def test_a_marked_test_is_not():
    assert os.environ[VARIABLE] == "1"
