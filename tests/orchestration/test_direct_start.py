"""Which events are started through Dagster's webserver, and with which tags."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.orchestration.client import DagsterClient
from agentflow_dagster.orchestration.direct_start import Deployed, EventStarter
from agentflow_dagster.ports.starter import NotStarted
from agentflow_dagster.spec.parse import parse_agent
from agentflow_dagster.spec.yaml_reader import read_yaml
from tests.support.loopback import Loopback, Reply

if TYPE_CHECKING:
    from collections.abc import Generator

    from agentflow_dagster.ports.stores import InboxEvent
    from agentflow_dagster.spec.values import JsonObject
    from agentflow_dagster.stores import Stores

DESK = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: help-desk}
spec:
  inputs: {type: object, required: [body], properties: {body: {type: string}}}
  env: [DESK]
  triggers:
    tickets: {webhook: {path: /t}, input: {body: "{{env.DESK}} {{event.body.text}}"}PARTITION}
  nodes:
    answer: {kind: ai.chat, with: {prompt: "{{input.body}}"}}
"""
BY_SHOP = ', partition: "{{event.body.shop}}"'
STARTED = {"__typename": "LaunchRunSuccess", "run": {"runId": "the-run"}}
REFUSED = {"__typename": "RunConfigValidationInvalid", "errors": [{"message": "no such field"}]}


def graphql(*, status: str = "RUNNING", launch: dict[str, Any] = STARTED) -> Reply:
    """What the webserver says, whatever it is asked."""
    sensor = {"__typename": "Sensor", "sensorState": {"status": status}}
    return Reply(body=json.dumps({"data": {"sensorOrError": sensor, "launchRun": launch}}))


@contextmanager
def starter(
    stores: Stores, url: str, *, partitions: str = "", seconds: float = 60
) -> Generator[EventStarter]:
    """One that knows the help desk, in the second code location."""
    text = DESK.replace("PARTITION", BY_SHOP if partitions else "")
    document = read_yaml(text.replace("spec:", f"spec:{partitions}", 1)).document
    assert document is not None
    agent = parse_agent(document)
    assert not isinstance(agent, tuple), agent
    live = {"help-desk": Deployed(agent, "0" * 64, "agentflow-2")}

    async def deployed(name: str) -> Deployed | None:
        return live.get(name)

    with httpx.Client(timeout=seconds) as http:
        client = DagsterClient(url, http)
        made = EventStarter(client, stores.inbox, deployed, {"DESK": "desk 4:"})
        yield made
        made.close()


def event_of(stores: Stores, body: JsonObject, *, agent: str = "help-desk") -> InboxEvent:
    return stores.inbox.add(agent, "tickets", {"body": body})[0]


def state(stores: Stores, event: InboxEvent) -> tuple[str, str | None]:
    found = stores.inbox.get(event.id)
    assert found is not None
    return found.state, found.run_id


def launches(server: Loopback) -> list[dict[str, Any]]:
    asked = [json.loads(request.body)["variables"] for request in server.requests]
    return [variables["params"] for variables in asked if "params" in variables]


def tags(launch: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in launch["executionMetadata"]["tags"]}


async def test_a_run_is_the_sensors(stores: Stores) -> None:
    event = event_of(stores, {"text": "it broke"})
    with Loopback({"/graphql": graphql()}) as server, starter(stores, server.url) as starts:
        await starts.start(event)
        (launch,) = launches(server)
    assert launch["selector"] == {
        "repositoryLocationName": "agentflow-2",
        "repositoryName": "__repository__",
        "jobName": "help_desk_job",
    }
    given = {"input": {"body": "desk 4: it broke"}}
    assert launch["runConfigData"] == {"ops": {"help_desk": {"config": given}}}
    assert tags(launch) == {
        "agentflow/trigger": "tickets",
        "dagster/run_key": event.run_key,
        "dagster/sensor_name": "help_desk__events",
    }
    assert state(stores, event) == ("started", "the-run")


async def test_a_run_is_of_its_partition(stores: Stores) -> None:
    event = event_of(stores, {"text": "x", "shop": "east"})
    cut = "\n  partitions: {static: [east, west]}"
    with (
        Loopback({"/graphql": graphql()}) as server,
        starter(stores, server.url, partitions=cut) as starts,
    ):
        await starts.start(event)
        assert tags(launches(server)[0])["dagster/partition"] == "east"


async def test_a_partition_that_events_add_is_the_sensors(stores: Stores) -> None:
    event = event_of(stores, {"text": "x", "shop": "east"})
    cut = "\n  partitions: {dynamic: shop}"
    with (
        Loopback({"/graphql": graphql()}) as server,
        starter(stores, server.url, partitions=cut) as starts,
    ):
        with pytest.raises(NotStarted):
            await starts.start(event)
        assert launches(server) == []


@pytest.mark.parametrize(
    ("reply", "body", "agent"),
    [
        (graphql(status="STOPPED"), {"text": "x"}, "help-desk"),
        (graphql(), {}, "help-desk"),
        (graphql(), {"text": "x"}, "no-such-agent"),
        (graphql(launch=REFUSED), {"text": "x"}, "help-desk"),
    ],
    ids=["switched off", "no input", "not deployed", "refused"],
)
async def test_what_is_left_to_the_sensor(
    stores: Stores, reply: Reply, body: JsonObject, agent: str
) -> None:
    event = event_of(stores, body, agent=agent)
    with (
        Loopback({"/graphql": reply}) as server,
        starter(stores, server.url) as starts,
        pytest.raises(NotStarted),
    ):
        await starts.start(event)
    assert state(stores, event) == ("pending", None)


async def test_a_webserver_that_is_down(stores: Stores) -> None:
    with Loopback({}) as server:
        gone = server.url
    with starter(stores, gone) as starts, pytest.raises(NotStarted):
        await starts.start(event_of(stores, {"text": "x"}))


async def test_a_webserver_that_is_slow_may_still_start_it(stores: Stores) -> None:
    hangs = Loopback({"/graphql": Reply(hang=True)})
    with (
        hangs as server,
        starter(stores, server.url, seconds=0.1) as starts,
        pytest.raises(RunError, match="does not answer"),
    ):
        await starts.start(event_of(stores, {"text": "x"}))
