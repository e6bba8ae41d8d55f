"""Nothing that was acknowledged is lost or done twice, whatever is killed in between."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.operations.token import project_token
from agentflow_dagster.orchestration.direct_start import SECONDS_KNOWN
from agentflow_dagster.orchestration.names import LANE_TAG
from tests.e2e.test_webhook import CRASH, triage
from tests.support.at_once import at_once
from tests.support.properties import THOROUGH
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.spec.values import JsonObject, JsonValue
    from tests.e2e.conftest import Running

pytestmark = pytest.mark.fault

TICKS = """
query Ticks($name: String!) {
  sensorOrError(
    sensorSelector: {
      repositoryName: "__repository__", repositoryLocationName: "agentflow", sensorName: $name
    }
  ) {
    ... on Sensor { sensorState { ticks(limit: 100) { id status } } }
  }
}"""

VERSION = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {{name: says-its-version}}
spec:
  nodes:
    say:
      kind: code.python
      with: {{code: "said = 'version {version}'", outputs: [said]}}
  outputs: {{said: "{{{{say.output.said}}}}"}}
"""

ENDLESS = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: endless}
spec:
  inputs: {type: object, required: [path], properties: {path: {type: string}}}
  nodes:
    spin:
      kind: code.python
      timeout: 1h
      with:
        inputs: {path: "{{input.path}}"}
        code: |
          import os, time
          with open(path + ".new", "w") as file:
              file.write(str(os.getpid()))
          os.rename(path + ".new", path)
          while True:
              time.sleep(0.1)
"""

TWO_STEPS = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: two-steps}
spec:
  inputs: {type: object, required: [folder], properties: {folder: {type: string}}}
  nodes:
    first:
      kind: code.python
      with:
        inputs: {folder: "{{input.folder}}"}
        code: |
          import os
          with open(folder + "/first", "a") as file:
              file.write(f"{os.getpid()} ")
    second:
      kind: code.python
      after: [first]
      timeout: 5m
      with:
        inputs: {folder: "{{input.folder}}"}
        code: |
          import os, time
          with open(folder + "/second", "a") as file:
              file.write(f"{os.getpid()} ")
          while not os.path.exists(folder + "/go"):
              time.sleep(0.05)
"""


def component(running: Running, name: str) -> int:
    assert running.platform.processes is not None
    return running.platform.processes.pid(name)


def revive(running: Running, *names: str) -> None:
    """Waits until these have been found dead and started again."""
    processes = running.platform.processes
    assert processes is not None
    missing = set(names)

    def all_revived() -> bool:
        missing.difference_update(processes.revive())
        return not missing

    wait_until(all_revived)


@contextmanager
def held(running: Running, name: str) -> Generator[None]:
    """A component that does nothing for as long as the block lasts, unless it is killed there."""
    pid = component(running, name)
    os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if psutil.pid_exists(pid):
            os.killpg(pid, signal.SIGCONT)


def ticks(running: Running) -> set[str]:
    """The sensor's finished ticks, as Dagster recorded them."""
    answer = httpx.post(
        f"{running.platform.client.url}/graphql",
        json={"query": TICKS, "variables": {"name": "support_triage__events"}},
        timeout=60,
    ).json()
    told: list[dict[str, Any]] = answer["data"]["sensorOrError"]["sensorState"]["ticks"]
    return {tick["id"] for tick in told if tick["status"] != "STARTED"}


def answers(running: Running) -> bool:
    try:
        return httpx.get(f"{running.platform.gateway}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def loads(running: Running) -> bool:
    try:
        running.platform.client.reload()
    except RunError:
        return False
    return True


def only_run(running: Running, plan: Plan, accepted: httpx.Response) -> dict[str, str]:
    """The tags of the one run of an accepted call, which has ended well."""
    event_id = accepted.json()["event_id"]
    run_id = running.run_of(plan, event_id)
    assert running.finish(plan, run_id).status == "SUCCESS"
    key = {"dagster/run_key": accepted.json()["run_key"], "agentflow/agent": plan.agent.name}
    (run,) = running.platform.client.runs(key)
    event = running.platform.stores.inbox.get(event_id)
    assert event is not None
    assert event.run_id == run["runId"] == run_id
    return {tag["key"]: tag["value"] for tag in run["tags"]}


@pytest.mark.parametrize(
    "killed",
    [["gateway"], ["engine"], pytest.param(["gateway", "daemon"], marks=pytest.mark.soak)],
    ids=" and ".join,
)
def test_an_acknowledged_call_starts_its_run_once(running: Running, killed: list[str]) -> None:
    plan = triage(running)
    with held(running, "daemon"):
        accepted = running.post("/tickets", CRASH)
        assert accepted.status_code == 202
        for name in killed:
            os.kill(component(running, name), signal.SIGKILL)
        revive(running, *killed)
    wait_until(lambda: answers(running))
    running.let_sensors_catch_up()  # of what the front door may have claimed and not started
    only_run(running, plan, accepted)


def test_a_call_that_is_delivered_a_hundred_times_at_once_is_one_run(running: Running) -> None:
    plan = triage(running)
    key = {"Idempotency-Key": "delivered-again-and-again"}
    told = at_once(lambda _: running.post("/tickets", CRASH, **key), 100)
    assert {answer.status_code for answer in told} <= {200, 202}
    assert len({answer.json()["event_id"] for answer in told}) == 1
    only_run(running, plan, told[0])


def test_what_is_not_started_at_once_is_left_to_the_sensor(running: Running) -> None:
    plan = triage(running)
    at_once = running.post("/tickets", CRASH)
    assert "dagster/tick" not in (direct := only_run(running, plan, at_once))
    running.switch_sensor(plan, on=False)
    known = time.monotonic() + SECONDS_KNOWN  # for so long the front door goes by what it knew
    wait_until(lambda: time.monotonic() > known)
    paused = running.post("/tickets", CRASH)
    with held(running, "webserver"):
        slow = running.post("/tickets", CRASH)
        os.killpg(component(running, "webserver"), signal.SIGKILL)
        down = running.post("/tickets", CRASH)
    revive(running, "webserver")
    wait_until(lambda: loads(running))
    waiting = [paused, slow, down]
    assert [accepted.status_code for accepted in waiting] == [202, 202, 202]
    inbox = running.platform.stores.inbox
    events = [inbox.get(accepted.json()["event_id"]) for accepted in waiting]
    assert [event.state for event in events if event] == ["pending"] * 3

    seen = ticks(running)
    running.switch_sensor(plan, on=True)
    running.let_sensors_catch_up()
    by_sensor = [only_run(running, plan, accepted) for accepted in waiting]
    assert len(ticks(running) - seen) >= 1
    assert by_sensor[0].keys() - direct.keys() == {"dagster/tick"}
    shared = {"dagster/sensor_name", "agentflow/trigger", "agentflow/version"}
    assert {key: by_sensor[0][key] for key in shared} == {key: direct[key] for key in shared}


STRANGE: list[JsonValue] = [
    *(["", "{{1 + 1}}", "\U0001f600" * 1000, "x" * 900_000] if THOROUGH else []),
    *("\0", "\ud800", None, [], {"a": 1}),
]


@pytest.mark.soak
def test_a_strange_event_holds_up_none_behind_it(running: Running) -> None:
    """What the front door would have refused may be in the inbox from before an upgrade."""
    plan, inbox = triage(running), running.platform.stores.inbox
    bodies: list[JsonObject] = [{"subject": "strange", "text": text} for text in STRANGE]
    events: list[JsonObject] = [{}, *({"body": body} for body in bodies)]
    strange = [inbox.add("support-triage", "tickets", event)[0].id for event in events]
    accepted = running.post("/tickets", CRASH)
    run_id = running.run_of(plan, accepted.json()["event_id"])
    assert running.finish(plan, run_id).status == "SUCCESS"

    def states() -> dict[int, str]:
        found = {id_: inbox.get(id_) for id_ in strange}
        return {id_: event.state for id_, event in found.items() if event is not None}

    wait_until(lambda: "pending" not in states().values())
    assert [states()[id_] for id_ in (strange[0], *strange[-3:])] == ["rejected"] * 4
    for id_ in strange:
        if states()[id_] == "started":
            assert running.finish(plan, running.run_of(plan, id_)).status in {"SUCCESS", "FAILURE"}


def test_a_run_stays_on_the_version_it_started_with(running: Running) -> None:
    file = running.project.root / "notebooks" / "says_its_version.agent.yaml"
    file.write_text(VERSION.format(version=1))
    (first,) = running.deploy(file.name)
    with held(running, "daemon"):
        # In the lane that waits in the queue: the engine would begin it at once.
        old = running.launch(first, {}, **{LANE_TAG: "warm"})
        assert running.platform.client.run(old)["status"] == "QUEUED"
        file.write_text(VERSION.format(version=2))
        (second,) = running.deploy(file.name)
        new = running.launch(second, {})
    done = [running.finish(first, old), running.finish(second, new)]
    assert [one.outputs for one in done] == [{"said": "version 1"}, {"said": "version 2"}]
    told = [running.platform.client.run(run)["tags"] for run in (old, new)]
    hashes = [{t["key"]: t["value"] for t in tags}["agentflow/version"] for tags in told]
    live = {d.version.agent: d.version for d in running.platform.stores.versions.live("local")}
    assert hashes[1] == live["says-its-version"].hash != hashes[0]
    file.unlink()


def endless_run(running: Running, path: Path, **tags: str) -> tuple[str, int]:
    """A run that would never end, and the process of its code."""
    file = running.project.root / "notebooks" / "endless.agent.yaml"
    file.write_text(ENDLESS)
    (plan,) = running.deploy(file.name)
    run_id = running.launch(plan, {"path": str(path)}, **tags)
    wait_until(path.exists)
    file.unlink()
    return run_id, int(path.read_text())


def test_a_run_that_is_stopped_leaves_no_process(running: Running, tmp_path: Path) -> None:
    run_id, pid = endless_run(running, tmp_path / "pid")
    assert psutil.pid_exists(pid)
    running.platform.client.terminate(run_id)
    wait_until(lambda: running.platform.client.run(run_id)["status"] == "CANCELED")
    assert not psutil.pid_exists(pid)


def test_a_run_goes_on_in_the_next_engine(running: Running, tmp_path: Path) -> None:
    """What had ended is not done again; what was under way is begun once more."""
    file = running.project.root / "notebooks" / "two-steps.agent.yaml"
    file.write_text(TWO_STEPS)
    (plan,) = running.deploy(file.name)
    run_id = running.launch(plan, {"folder": str(tmp_path)})
    wait_until((tmp_path / "second").exists)
    pid = int((tmp_path / "second").read_text().split()[0])
    os.kill(component(running, "engine"), signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid))
    revive(running, "engine")
    wait_until(lambda: len((tmp_path / "second").read_text().split()) == 2)
    (tmp_path / "go").touch()
    assert running.finish(plan, run_id).status == "SUCCESS"
    assert len((tmp_path / "first").read_text().split()) == 1
    file.unlink()


@pytest.mark.soak
def test_a_run_goes_on_with_the_next_warm_parent(running: Running, tmp_path: Path) -> None:
    """Both processes that could tell of its end are killed."""
    path = tmp_path / "pid"
    run_id, pid = endless_run(running, path, **{LANE_TAG: "warm"})
    os.kill(component(running, "warm-parent"), signal.SIGKILL)
    revive(running, "warm-parent")
    assert not psutil.pid_exists(pid)
    wait_until(lambda: int(path.read_text()) != pid)
    running.platform.client.terminate(run_id)
    wait_until(lambda: running.platform.client.run(run_id)["status"] == "CANCELED")
    wait_until(lambda: loads(running))


@pytest.mark.soak
def test_a_queued_run_needs_no_code_server(running: Running) -> None:
    plan = triage(running)
    with held(running, "daemon"):
        ticket: JsonObject = {"subject": "Print", "body": "How do I print?"}
        run_id = running.launch(plan, ticket, **{LANE_TAG: "warm"})
        os.kill(component(running, "code-server"), signal.SIGKILL)
        wait_until(lambda: not loads(running))
    wait_until(lambda: running.platform.client.run(run_id)["status"] == "SUCCESS")
    revive(running, "code-server")
    wait_until(lambda: loads(running))


def test_calls_are_told_to_come_back_while_the_front_door_is_down(running: Running) -> None:
    """A caller sees a refused connection or 202, never a 202 without an event."""
    os.kill(component(running, "gateway"), signal.SIGKILL)
    with pytest.raises(httpx.TransportError):
        running.post("/tickets", CRASH)
    revive(running, "gateway")
    wait_until(lambda: answers(running))
    token = project_token(running.project)
    ready = httpx.get(
        f"{running.platform.gateway}/readyz", headers={"Authorization": f"Bearer {token}"}
    )
    assert ready.status_code == 200
