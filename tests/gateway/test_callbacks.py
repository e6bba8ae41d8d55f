"""The URLs at which others answer: the URL is the right to, once, and for what was asked."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.ports.waits import Asked

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject
    from tests.gateway.conftest import FrontDoor

SCHEMA: JsonObject = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string"}},
}


@pytest.fixture
def token(front: FrontDoor) -> str:
    """Of a step that waits to be called back."""
    shown = secrets.token_urlsafe(32)
    asked = Asked("callback", {"schema": SCHEMA}, token=shown)
    front.stores.waits.hold(secrets.token_hex(), "renderer", "render", asked)
    return shown


def post(front: FrontDoor, token: str, body: object) -> int:
    return front.call("POST", f"/callbacks/{token}", token=None, json=body).status_code


def test_an_answer_is_taken_once(front: FrontDoor, token: str) -> None:
    assert post(front, token, {"file": "a"}) == 202
    assert post(front, token, {"file": "a"}) == 202
    assert post(front, token, {"file": "b"}) == 409
    found = front.stores.waits.called(token)
    assert found is not None
    assert found.answer is not None
    assert (found.answer.value, found.answer.by) == ({"file": "a"}, "callback")


@pytest.mark.parametrize("body", [{}, {"file": 1}, None, [], "text"])
def test_an_answer_that_does_not_meet_the_schema_is_refused(
    front: FrontDoor, token: str, body: object
) -> None:
    assert post(front, token, body) == 422
    assert post(front, token, {"file": "a"}) == 202


@pytest.mark.parametrize("wrong", ["x", "x" * 5_000, "%00", "..%2f..", "é"])
def test_another_url_leads_nowhere(front: FrontDoor, wrong: str) -> None:
    assert post(front, wrong, {"file": "a"}) == 404


def test_its_number_is_no_right_to_answer(front: FrontDoor, token: str) -> None:
    found = front.stores.waits.called(token)
    assert found is not None
    assert post(front, str(found.id), {"file": "a"}) == 404
    assert token not in repr(found)


def test_others_are_not_told_of_by_a_bearer_token(front: FrontDoor, token: str) -> None:
    """The project's token opens no callback; the callback's opens nothing else."""
    answer = front.call("GET", "/readyz", token=token)
    assert answer.status_code == 401
