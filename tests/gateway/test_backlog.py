"""Past a number of events that wait no more are accepted, and those that were are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.gateway.app import Settings, create_app
from agentflow_dagster.gateway.backlog import VARIABLE
from agentflow_dagster.stores import open_stores
from tests.gateway.conftest import TOKEN, FrontDoor, listening

if TYPE_CHECKING:
    from pathlib import Path


def test_calls_past_the_limit_are_told_to_come_back(front: FrontDoor, tmp_path: Path) -> None:
    ids = [front.stores.inbox.add("anything", "call", {})[0].id for _ in range(3)]
    settings = Settings(
        open_stores=lambda: open_stores(front.database_url, tmp_path),
        environment="local",
        token=TOKEN,
        variables={VARIABLE: "3", "GREETING": "Hello"},
    )
    app = create_app(settings)
    with listening(app) as url:
        busy = FrontDoor(app, url, front.stores, front.database_url)
        answer = busy.call("POST", "/hooks/any/thing", json={})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
        pending = [event.id for event in front.stores.inbox.pending("anything")]
        assert set(ids) <= set(pending)
        front.stores.inbox.settle({id_: f"run-{id_}" for id_ in pending})
