"""`agentflow up` and `agentflow demo` as a person starts them: stopped or killed, all is gone."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from agentflow_dagster.operations.components import Ports
from agentflow_dagster.operations.scaffold import scaffold
from agentflow_dagster.operations.tracker import Tracker
from agentflow_dagster.orchestration.client import FINISHED, DagsterClient
from agentflow_dagster.orchestration.names import LANE_TAG
from tests.e2e.conftest import keep_agents
from tests.e2e.test_faults import ENDLESS, TICKS
from tests.e2e.test_webhook import CRASH
from tests.support.command import Command, Started
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = pytest.mark.fault


@dataclass(frozen=True)
class Site:
    """A project with its own embedded database, and the command in it."""

    root: Path
    command: Command

    @property
    def scratch(self) -> Path:
        return self.root / "tmp"

    @property
    def told(self) -> dict[str, Any]:
        """What `agentflow up` tells other commands."""
        return json.loads((self.root / ".agentflow" / "up.json").read_text())

    def up(self) -> Started:
        ports = Ports.free()
        started = self.command.start(
            *("up", "--no-jupyter"),
            *("--dagster-port", str(ports.webserver), "--gateway-port", str(ports.gateway)),
        )
        started.wait_to_hear("AgentFlow is up")
        return started

    def post(self, path: str, body: dict[str, str]) -> httpx.Response:
        token = (self.root / ".agentflow" / "token").read_text()
        return httpx.post(
            f"{self.told['gateway']}/hooks{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )

    def gone(self) -> bool:
        return not self.command.living()


@pytest.fixture
def site(open_folder: Path, request: pytest.FixtureRequest) -> Generator[Site]:
    root = open_folder / f"site-{abs(hash(request.node.name)) % 10_000}"
    scaffold(root)
    keep_agents(root, "support_triage", "invoice_check")
    (root / "tmp").mkdir()
    sample = root / "notebooks" / "support_triage.agent.yaml"
    sample.write_text(sample.read_text().replace("gpt-4o-mini", "offline/extractive"))
    (root / "notebooks" / "endless.agent.yaml").write_text(ENDLESS)
    with Tracker() as tracker:
        variables = {
            "TRACKER": tracker.url,
            "TRACKER_TOKEN": tracker.token,
            "TMPDIR": str(root / "tmp"),
            "OPENAI_API_KEY": "",
        }
        made = Site(root, Command(root, variables))
        yield made
        for left in made.command.living():
            left.kill()
    shutil.rmtree(root)


def start_endless(site: Site, client: DagsterClient, name: str = "pid", **tags: str) -> int:
    """Starts a run that would never end; the process of its code, which it notes in a file."""
    path = site.root / name
    client.launch("endless", {"path": str(path)}, tags)
    wait_until(path.exists)
    return int(path.read_text())


@pytest.mark.soak
def test_an_acknowledged_call_outlives_everything(site: Site) -> None:
    """`kill -9` of every process, PostgreSQL too, between the 202 and the run."""
    deployed = site.command.run("deploy", "notebooks/support_triage.agent.yaml")
    assert deployed.returncode == 0, deployed.stderr
    killed = site.up()
    with httpx.Client(timeout=60) as http:
        client = DagsterClient(site.told["dagster"], http)
        orphans = {
            "in-the-engine": start_endless(site, client, "in-the-engine"),
            "of-its-own": start_endless(site, client, "of-its-own", **{LANE_TAG: "warm"}),
        }
        for process in site.command.living():
            if "agentflow_dagster.orchestration.daemon" in process.cmdline():
                process.suspend()
        accepted = site.post("/tickets", CRASH)
        assert accepted.status_code == 202
        for process in site.command.living():
            process.kill()
        assert killed.wait_for_end() == -signal.SIGKILL
        wait_until(lambda: site.gone() and not any(map(psutil.pid_exists, orphans.values())))

        again = site.up()
        client = DagsterClient(site.told["dagster"], http)
        key = {"dagster/run_key": accepted.json()["run_key"], "agentflow/agent": "support-triage"}
        (run,) = wait_until(lambda: client.runs(key))
        wait_until(lambda: client.run(run["runId"])["status"] in FINISHED)
        assert client.run(run["runId"])["status"] == "SUCCESS"

        seen = ticks(client)
        wait_until(lambda: len(ticks(client) - seen) >= 2)
        assert [each["runId"] for each in client.runs(key)] == [run["runId"]]
        # What was in mid-run is not forgotten either: it goes on.
        for name, orphan in orphans.items():
            wait_until(lambda path=site.root / name, pid=orphan: int(path.read_text()) != pid)
        assert len(client.runs({"agentflow/agent": "endless"})) == len(orphans)
    stopped = site.command.run("down")
    assert (stopped.returncode, stopped.stdout) == (0, "Stopped.\n")
    assert again.wait_for_end(seconds=10) == 130
    assert site.gone()


def ticks(client: DagsterClient) -> set[str]:
    answer = client.http.post(
        f"{client.url}/graphql",
        json={"query": TICKS, "variables": {"name": "support_triage__events"}},
    ).json()
    told = answer["data"]["sensorOrError"]["sensorState"]["ticks"]
    return {tick["id"] for tick in told if tick["status"] != "STARTED"}


@pytest.mark.soak
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_up_takes_its_runs_along(site: Site, number: signal.Signals) -> None:
    started = site.up()
    with httpx.Client(timeout=60) as http:
        orphan = start_endless(site, DagsterClient(site.told["dagster"], http))
    started.process.send_signal(number)
    status = started.wait_for_end()
    if number != signal.SIGKILL:
        assert status == 130
        assert (site.gone(), list(site.scratch.iterdir())) == (True, [])
        assert not (site.root / ".agentflow" / "up.json").exists()
    wait_until(lambda: site.gone() and not psutil.pid_exists(orphan), seconds=30)


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGTERM, "Starting PostgreSQL"),
        (signal.SIGINT, "Loading the agents"),
        pytest.param(*(signal.SIGTERM, "Waiting for the run of ticket 2"), marks=pytest.mark.soak),
    ],
)
def test_demo_leaves_nothing(site: Site, number: signal.Signals, moment: str) -> None:
    started = site.command.start("demo")
    started.wait_to_hear(moment)
    homes = list(site.scratch.glob("agentflow-demo-*"))
    assert len(homes) == 1
    data = (homes[0] / "postgres" / "data").resolve()  # as root it may stand elsewhere
    started.process.send_signal(number)
    started.process.send_signal(signal.SIGHUP)  # what a terminal that closes sends besides
    assert started.wait_for_end() == 130
    assert (site.gone(), list(site.scratch.iterdir()), data.exists()) == (True, [], False)
