"""One running project for the session: real database, Dagster, front door, tracker, models.

And a browser to look at it with.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.sensor_definition import SensorType
from dagster._core.scheduler.instigation import SensorInstigatorData

from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.components import Ports
from agentflow_dagster.operations.deploy import deploy_files
from agentflow_dagster.operations.platform import Platform, start_platform
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.publish import apply_limits, load
from agentflow_dagster.operations.run import wait_for
from agentflow_dagster.operations.scaffold import scaffold
from agentflow_dagster.operations.token import project_token
from agentflow_dagster.operations.tracker import Tracker
from agentflow_dagster.orchestration.names import location_name, sensor_name
from agentflow_dagster.testing import ModelServer, Price
from tests.conftest import new_database, run_on
from tests.support.chromium import chromium
from tests.support.openai_server import OpenAIServer
from tests.support.vault import keep_secrets_elsewhere
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import BrowserContext, Page

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.orchestration.record import RunRecord
    from agentflow_dagster.spec.values import JsonObject

SENSOR_STATE = """
query State($sensor: SensorSelector!) {
  sensorOrError(sensorSelector: $sensor) { ... on Sensor { sensorState { id } } }
}"""
START_SENSOR = """
mutation Start($sensor: SensorSelector!) {
  startSensor(sensorSelector: $sensor) { __typename }
}"""
STOP_SENSOR = """
mutation Stop($id: String!) { stopSensor(id: $id) { __typename } }"""
ACME = """
models:
  acme/one: {{inputPerMillion: 1.1, outputPerMillion: 3.3, maxOutput: 200, tools: true}}
  streams/one: {{inputPerMillion: 1.1, outputPerMillion: 3.3, maxOutput: 200, tools: true}}
providers:
  acme: {{baseUrl: "{acme}", keyVariable: ACME_KEY}}
  streams: {{baseUrl: "{streams}", stream: true}}
"""
ACME_PRICE = Price(Decimal("1.1"), Decimal("3.3"))
ACME_KEY = "acme-key-of-the-vault-Zx9"
TRACKER_TOKEN = 'tracker-token-Zx9+/="q\\uoted'


def keep_agents(root: Path, *names: str) -> None:
    """Takes the other agents away: each would be checked and compiled by every process."""
    for file in (root / "notebooks").glob("*.*"):
        if file.is_file() and file.name.partition(".")[0] not in names:
            file.unlink()


@dataclass(frozen=True)
class Running:
    """A project that is up, and what its agents talk to.

    `models` answers as OpenAI; `acme` as two providers of the project's
    `models.yaml`, one of which streams.
    """

    project: Project
    platform: Platform
    tracker: Tracker
    models: OpenAIServer
    acme: ModelServer

    def deploy(self, *names: str) -> list[Plan]:
        """Deploys files of the project's `notebooks/` and has Dagster serve them."""
        kinds = all_kinds()
        files = [self.project.root / "notebooks" / name for name in names]
        done = deploy_files(self.project, self.platform.stores.versions, kinds, files)
        apply_limits(self.project)
        self.platform.add_locations()
        load(self.platform.client, [location_name(one.deployment.location) for one in done])
        return [plan_of(d.deployment.version.document, kinds) for d in done]

    def launch(self, plan: Plan, input_: JsonObject, **tags: str) -> str:
        return self.platform.client.launch(plan.agent.name, input_, tags)

    def finish(self, plan: Plan, run_id: str) -> RunRecord:
        """Waits for a run's end."""
        return wait_for(self.platform, plan, run_id, asked_at=0.0)

    def run(self, plan: Plan, input_: JsonObject, **tags: str) -> RunRecord:
        return self.finish(plan, self.launch(plan, input_, **tags))

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Calls a webhook with the project's token."""
        token = project_token(self.project)
        return httpx.post(
            f"{self.platform.gateway}/hooks{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}", **headers},
        )

    def switch_sensor(self, plan: Plan, *, on: bool) -> None:
        """Switches the agent's sensor on or off, as a person does in the UI."""
        name = sensor_name(plan.agent.name)
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "agentflow",
            "sensorName": name,
        }
        if on:
            self.graphql(START_SENSOR, {"sensor": selector})
        else:
            told = self.graphql(SENSOR_STATE, {"sensor": selector})
            self.graphql(STOP_SENSOR, {"id": told["sensorOrError"]["sensorState"]["id"]})
        assert self.platform.client.sensor_on(name) == on

    def let_sensors_catch_up(self) -> None:
        """As if claims had run out, and it were long since sensors were asked: the daemon asks
        them in its next round."""
        url = self.project.variables["AGENTFLOW_DATABASE_URL"]
        run_on(url, "UPDATE agentflow.inbox SET claimed_until = now()")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AGENTFLOW_DATABASE_URL", url)
            with DagsterInstance.from_config(str(self.project.home / "dagster")) as instance:
                for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
                    never = SensorInstigatorData(sensor_type=SensorType.STANDARD)
                    instance.update_instigator_state(state.with_data(never))

    def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        told = httpx.post(
            f"{self.platform.client.url}/graphql",
            json={"query": query, "variables": variables},
            timeout=60,
        ).json()
        assert "errors" not in told, told
        return told["data"]

    def run_of(self, plan: Plan, event_id: int) -> str:
        """The id of the run that was started for an event, once there is one."""
        tags = {"dagster/run_key": f"inbox-{event_id}", "agentflow/agent": plan.agent.name}
        return str(wait_until(lambda: self.platform.client.runs(tags))[0]["runId"])


@pytest.fixture(scope="session")
def running(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """The session's project; `support_triage` is deployed, answered by the offline model. Its
    secrets are in no environment."""
    root = tmp_path_factory.mktemp("project") / "support"
    scaffold(root)
    keep_agents(root, "support_triage", "order_contract", "ticket_digest", "invoice_check")
    sample = root / "notebooks" / "support_triage.agent.yaml"
    sample.write_text(sample.read_text().replace("gpt-4o-mini", "offline/extractive"))
    with ExitStack() as stack:
        url = next(database := new_database(postgres_url, template="template1"))
        stack.callback(lambda: next(database, None))
        tracker = stack.enter_context(Tracker(token=TRACKER_TOKEN))
        models = stack.enter_context(OpenAIServer())
        acme = stack.enter_context(ModelServer(price=ACME_PRICE))
        bases = {name: acme.base(name) for name in ("acme", "streams")}
        (root / "models.yaml").write_text(ACME.format(**bases))
        keep_secrets_elsewhere(root, ACME_KEY=ACME_KEY, TRACKER_TOKEN=tracker.token)
        variables = {
            **os.environ,
            "AGENTFLOW_DATABASE_URL": url,
            "TRACKER": tracker.url,
            "OPENAI_BASE_URL": models.url,
            "OPENAI_API_KEY": "sk-loopback-0123456789abcdef",
        }
        project = Project(root, Path(root / ".agentflow"), "local", variables)
        platform = stack.enter_context(start_platform(project, Ports.free(), progress=print))
        found = Running(project, platform, tracker, models, acme)
        found.deploy("support_triage.agent.yaml")
        yield found


# For the module, not the session: while it is open, async tests elsewhere could not run.
@pytest.fixture(scope="module")
def browser() -> Generator[BrowserContext]:
    with chromium() as context:
        yield context


@pytest.fixture
def page(browser: BrowserContext, tmp_path: Path) -> Generator[Page]:
    """A new page; what it showed last is kept in the test's folder."""
    opened = browser.new_page()
    yield opened
    opened.screenshot(path=tmp_path / "last.png")
    print(f"{opened.url} as seen last: {tmp_path / 'last.png'}")
    opened.close()
