"""Dagster's UI is for this machine's user: pages of other sites can do nothing with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from agentflow_dagster.orchestration.webserver import OwnPagesOnly

if TYPE_CHECKING:
    from tests.e2e.conftest import Running

MUTATION = "mutation { setNuxSeen }"
EVIL = "https://evil.example"


def ask(running: Running, method: str = "GET", **headers: str) -> httpx.Response:
    """Sends a mutation as a page can without being asked for permission first."""
    return httpx.request(
        method,
        f"{running.platform.client.url}/graphql",
        params={"query": MUTATION},
        headers=headers,
        timeout=60,
    )


def test_programs_and_own_pages_are_let_in(running: Running) -> None:
    own = {"Origin": running.platform.client.url, "Sec-Fetch-Site": "same-origin"}
    for headers in ({}, own, {"Sec-Fetch-Site": "none"}):
        answer = ask(running, **headers)
        assert (answer.status_code, answer.json()) == (200, {"data": {"setNuxSeen": True}})


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:3000"},
        {"Host": "[::1"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_sites_pages_are_refused(
    running: Running, method: str, headers: dict[str, str]
) -> None:
    answer = ask(running, method, **headers)
    assert answer.status_code in {400, 403}
    assert "setNuxSeen" not in answer.text


def test_a_link_from_another_site_opens_a_page_and_does_nothing(running: Running) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = ask(running, **followed, Accept="text/html,*/*")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    form = ask(running, "POST", **followed, Origin=EVIL)
    assert form.status_code == 403


def test_a_websocket_of_another_site_is_not_opened() -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError("it was handed on")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    guard = OwnPagesOnly(never, {"127.0.0.1"})
    headers = [(b"host", b"127.0.0.1:3000"), (b"origin", EVIL.encode())]
    scope = {"type": "websocket", "headers": headers, "extensions": {}}
    asyncio.run(guard(scope, never, send))
    assert sent
    assert "websocket.accept" not in sent
