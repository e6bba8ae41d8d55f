"""The front door on a real port, over a real database with two deployed agents."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from agentflow_dagster.gateway.app import Settings, create_app
from agentflow_dagster.gateway.server import http_server
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.check import check_document
from agentflow_dagster.stores import Stores, open_stores
from tests.conftest import new_database
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

    from fastapi import FastAPI

TOKEN = "the-token-of-these-tests"

# Hands on all that it is sent.
ANYTHING = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: anything}
spec:
  inputs: {type: object, properties: {body: {}, query: {}, headers: {}}}
  triggers:
    call: {webhook: {path: /any/thing}, input: {body: "{{event.body}}", query: "{{event.query}}"}}
    put: {webhook: {path: /any/thing, method: PUT}, input: {headers: "{{event.headers}}"}}
  nodes:
    same:
      kind: code.python
      with: {code: "got = body", inputs: {body: "{{input.body}}"}, outputs: [got]}
"""

# Computes with what it is sent.
PARTICULAR = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: particular}
spec:
  inputs:
    type: object
    required: [text, twice]
    properties:
      text: {type: string, maxLength: 100000}
      twice: {type: number}
      first: {type: string, default: none}
  env: [GREETING]
  triggers:
    call:
      webhook: {path: /particular}
      input:
        text: "{{env.GREETING}} {{event.body.text.upperAscii() + '!'}}"
        twice: "{{double(event.body.number) * 2.0}}"
  nodes:
    same:
      kind: code.python
      with: {code: "got = text", inputs: {text: "{{input.text}}"}, outputs: [got]}
"""


@dataclass(frozen=True)
class FrontDoor:
    """The application, where it listens, its stores and their database."""

    app: FastAPI
    url: str
    stores: Stores
    database_url: str

    def call(
        self, method: str, path: str, *, token: str | None = TOKEN, **options: Any
    ) -> httpx.Response:
        """Sends one request; `headers`, `json` and `content` as httpx has them."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {token}")
        return httpx.request(method, self.url + path, headers=headers, timeout=60, **options)

    def stored(self, answer: httpx.Response) -> dict[str, Any]:
        """The event that an accepted call became."""
        assert answer.status_code == 202, answer.text
        event = self.stores.inbox.get(answer.json()["event_id"])
        assert event is not None
        return event.event


@contextmanager
def listening(app: FastAPI) -> Generator[str]:
    """Serves an application on a port of its own; its address."""
    server = http_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def front(
    postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[FrontDoor]:
    kinds = all_kinds()
    url = next(database := new_database(postgres_url, template=template_database))
    artifacts = tmp_path_factory.mktemp("artifacts")
    with open_stores(url, artifacts) as stores:
        for text in (ANYTHING, PARTICULAR):
            checked = check_document(yaml.safe_load(text), {}, (), kinds, file="agent.yaml")
            version = stores.versions.put(
                checked.require().agent.name, checked.hash, checked.document, {}
            )
            stores.versions.deploy("local", version.hash)
        settings = Settings(
            open_stores=lambda: open_stores(url, artifacts),
            environment="local",
            token=TOKEN,
            variables={"GREETING": "Hello"},
        )
        app = create_app(settings)
        with listening(app) as address:
            yield FrontDoor(app, address, stores, url)
    next(database, None)
