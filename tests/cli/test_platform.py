"""Commands around one `agentflow up`, and `agentflow run` with and without it."""

from __future__ import annotations

import json
import signal
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from agentflow_dagster.operations.components import Ports
from tests.cli.conftest import GOOD, Project, make_project
from tests.conftest import new_database
from tests.e2e.test_faults import ENDLESS
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.command import Started

FILE = "notebooks/adds_up.agent.yaml"
RECORD = [
    *("run_id", "status", "outputs", "nodes", "cost_usd", "tokens_in", "tokens_out"),
    *("first_step_ms", "latency_ms", "url"),
]
NODE = [
    *("name", "kind", "status", "attempts", "latency_ms", "tokens_in", "tokens_out", "cost_usd"),
    *("model", "provider", "error"),
]
FAILING = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: gives-up}
spec:
  nodes:
    first: {kind: code.python, with: {code: "x = 1", outputs: [x]}}
    second: {kind: code.python, after: [first], with: {code: "raise ValueError('no\\x1b[31m way')"}}
    third: {kind: code.python, after: [second], with: {code: "pass"}}
  outputs: {x: "{{first.output.x}}"}
"""

FLAKY = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: flaky}
spec:
  inputs: {type: object, required: [path], properties: {path: {type: string}}}
  config: {runRetries: 1, runRetryDelay: 1s}
  nodes:
    first: {kind: code.python, with: {code: "x = 1", outputs: [x]}}
    second:
      kind: code.python
      after: [first]
      with: {code: "open(path).close()", inputs: {path: "{{input.path}}"}}
"""

BELOW = """query($tag: ExecutionTag!) { runsOrError(filter: {tags: [$tag]}) {
  ... on Runs { results { jobName } } } }"""
LAUNCH_RETENTION = """mutation { launchRun(executionParams: { selector: {
  repositoryLocationName: "agentflow", repositoryName: "__repository__",
  jobName: "agentflow_retention" } }) { ... on LaunchRunSuccess { run { runId } } } }"""
SAMPLES = Path(__file__).parents[2] / "notebooks"
BILL = {"subject": "Charged twice", "body": "My card was charged twice for one invoice."}
CRASH = {"subject": "Crash on save", "body": "The editor crashes when I save a file."}


@dataclass(frozen=True)
class Up:
    """A project that is up, and how its ports were given."""

    project: Project
    process: Started
    ports: list[str]


@pytest.fixture(scope="module")
def up(
    postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Up]:
    url = next(database := new_database(postgres_url, template=template_database))
    project = make_project(tmp_path_factory.mktemp("up") / "project", url, OPENAI_API_KEY="")
    project.write("notebooks/gives_up.agent.yaml", FAILING)
    project.write("notebooks/endless.agent.yaml", ENDLESS)
    free = Ports.free()
    ports = ["--dagster-port", str(free.webserver), "--gateway-port", str(free.gateway)]
    process = project.command.start("up", "--no-jupyter", *ports)
    process.wait_to_hear("Logs")
    yield Up(project, process, ports)
    assert project.call("down").stdout == "Stopped.\n"
    assert process.wait_for_end() == 130
    assert project.call("down").stdout == "Nothing is up.\n"
    assert project.command.living() == []
    next(database, None)


def record(told: str) -> dict[str, Any]:
    found = json.loads(told)
    assert list(found) == RECORD
    assert [list(node) for node in found["nodes"]] == [NODE] * len(found["nodes"])
    return found


def test_up_says_where_everything_is_and_no_token(up: Up) -> None:
    said = up.process.said
    for words in (f"http://127.0.0.1:{up.ports[1]}", f"{up.ports[3]}/hooks/", "Ctrl-C stops it"):
        assert words in said
    token = (up.project.root / ".agentflow" / "token").read_text()
    assert token not in said
    for process in up.project.command.living():
        assert token not in " ".join(process.cmdline())


def test_what_only_its_owner_may_read(up: Up) -> None:
    home = up.project.root / ".agentflow"
    assert {
        p.name: oct(p.stat().st_mode & 0o777) for p in home.iterdir() if p.is_dir()
    } == dict.fromkeys(
        ("artifacts", "dagster", "dagster-artifacts", "dagster-direct", "logs", "runs-under-way"),
        "0o700",
    )
    assert home.stat().st_mode & 0o066 == 0
    for name in ("token", "up.json"):
        assert oct((home / name).stat().st_mode & 0o777) == "0o600"


def test_a_project_is_up_once(up: Up) -> None:
    done = up.project.call("up", "--no-jupyter")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is up already" in done.stderr
    assert "agentflow down" in done.stderr


def test_a_port_in_use_is_told_before_anything_starts(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = project.call("up", "--no-jupyter", "--dagster-port", port)
        same = project.call("up", "--dagster-port", "4001", "--jupyter-port", "4001")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: Port {port}, for Dagster's UI, is in use.\n"
        f"Stop what uses it, or choose another: --dagster-port {int(port) + 1}\n"
    )
    assert (same.returncode, "Two of the ports are the same" in same.stderr) == (2, True)
    assert project.command.living() == []


def test_a_deployed_agent_runs_on_what_is_up(up: Up) -> None:
    deployed = up.project.call("deploy", FILE, "--json")
    assert json.loads(deployed.stdout)["reloaded"] is True
    done = up.project.call("run", "adds_up", "--input", '{"a": 40, "b": 2}', "--json")
    assert done.returncode == 0, done.stderr
    assert "Running adds-up" in done.stderr
    assert "PostgreSQL" not in done.stderr
    told = record(done.stdout)
    assert (told["status"], told["outputs"]) == ("SUCCESS", {"total": 42})
    assert told["url"] == f"http://127.0.0.1:{up.ports[1]}/runs/{told['run_id']}"
    assert httpx.get(told["url"]).status_code == 200
    assert 0 < told["first_step_ms"] <= told["latency_ms"]
    add, answer = told["nodes"]
    assert (add["status"], add["attempts"], add["tokens_in"], add["model"]) == ("SUCCESS", 1, 0, "")
    assert (answer["model"], answer["provider"]) == ("offline/extractive", "offline")
    assert answer["tokens_in"] == told["tokens_in"] > 0
    assert told["cost_usd"] == 0

    for arguments in (["runs"], ["runs", "adds-up"], ["runs", "adds_up", "--limit", "1"]):
        listed = json.loads(up.project.call(*arguments, "--json").stdout)["runs"]
        assert (listed[0]["run_id"], listed[0]["agent"], listed[0]["status"]) == (
            *(told["run_id"], "adds-up"),
            "SUCCESS",
        )
    assert told["run_id"] in up.project.call("runs").stdout


def test_runs_are_followed_while_they_happen(up: Up) -> None:
    following = up.project.command.start("live-view", "--after", "0", "--json")
    ran = {}
    for name, given, state in (
        ("adds-up", '{"a": 1}', "succeeded"),
        ("gives-up", "{}", "failed"),
    ):
        done = up.project.call("run", name, "--input", given, "--json")
        assert done.returncode == (0 if state == "succeeded" else 1), done.stderr
        ran[name] = run_id = json.loads(done.stdout)["run_id"]
        end = f'"run_id": "{run_id}", "agent": "{name}", "what": "run", "state": "{state}"'
        following.wait_to_hear(end)
    following.process.send_signal(signal.SIGINT)
    assert following.wait_for_end() == 130
    assert following.said.endswith("Interrupted.\n")
    lines = [json.loads(line) for line in following.said.splitlines() if line.startswith("{")]
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)
    good, bad = ran.values()
    (made,) = [
        one
        for one in lines
        if (one["run_id"], one["what"], one.get("node")) == (good, "asset", "answer")
    ]
    assert (made["model"], made["cost_usd"]) == ("offline/extractive", 0)

    ended = up.project.call("live-view", good, "--json")
    assert ended.returncode == 0
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [
        line for line in lines if line["run_id"] == good
    ]
    ended = up.project.call("live-view", bad)
    assert ended.returncode == 1
    assert "no\N{REPLACEMENT CHARACTER}[31m way" in ended.stdout
    assert "\x1b" not in ended.stdout
    unknown = up.project.call("live-view", "adds-ip")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "There is no agent 'adds-ip'" in unknown.stderr
    assert "adds-up" in unknown.stderr
    assert up.project.call("live-view", "--since", "noon").returncode == 2


@pytest.mark.soak
def test_a_run_of_a_file_that_fails_beside_what_is_up(up: Up) -> None:
    """It starts what it needs and stops it, and what is up goes on as it was."""
    project = up.project
    before = {process.pid for process in project.command.living()}
    lines = [process.cmdline() for process in project.command.living()]
    daemon = next(line for line in lines if "agentflow_dagster.orchestration.daemon" in line)
    workspace = Path(daemon[daemon.index("--workspace") + 1])
    read = workspace.read_text()
    path = project.write("gives_up.agent.yaml", FAILING)
    done = project.call("run", path)
    assert done.returncode == 1
    assert (
        "second: <node second>, line 1: ValueError: no\N{REPLACEMENT CHARACTER}[31m way"
        in done.stdout
    )
    assert "FAILURE in" in done.stdout
    assert workspace.read_text() == read
    assert {process.pid for process in project.command.living()} <= before

    told = json.loads(project.call("runs", "gives-up", "--json").stdout)["runs"]
    assert [(run["agent"], run["status"]) for run in told] == [("gives-up", "FAILURE")]


def test_a_file_runs_as_it_stands(project: Project) -> None:
    """Whatever is deployed, and wherever the file is."""
    assert project.call("deploy", FILE).returncode == 0
    path = project.root.parent / "elsewhere.agent.yaml"
    path.write_text(GOOD.replace("a + b", "a * 100 + b"))
    given = project.write("input.json", '\ufeff{"a": 7}')
    done = project.call("run", path, "--input", f"@{given}", "--json")
    assert done.returncode == 0, done.stderr
    told = record(done.stdout)
    assert (told["status"], told["outputs"]) == ("SUCCESS", {"total": 701})
    assert "Starting PostgreSQL" in done.stderr
    assert project.command.living() == []


@contextmanager
def endless(project: Project, path: Path) -> Generator[Started]:
    """`agentflow run` of something that never ends, once its code is at work."""
    given = json.dumps({"path": str(path)})
    started = project.command.start("run", "notebooks/endless.agent.yaml", "--input", given)
    wait_until(path.exists)
    yield started


@pytest.mark.soak
@pytest.mark.fault
def test_ctrl_c_stops_the_run(project: Project, tmp_path: Path) -> None:
    project.write("notebooks/endless.agent.yaml", ENDLESS)
    with endless(project, tmp_path / "pid") as started:
        started.process.send_signal(signal.SIGINT)
        assert started.wait_for_end() == 130
    assert started.said.endswith("Interrupted.\n")
    told = json.loads(project.call("runs", "--json").stdout)["runs"]
    assert [(run["agent"], run["status"]) for run in told] == [("endless", "CANCELED")]
    assert project.command.living() == []


def test_the_workflow_of_the_samples_from_deploying_to_deleting(up: Up) -> None:
    """By the words that people know from elsewhere: `workflow.yaml`, `list workflows` …"""
    project, name = up.project, "customer-support-pipeline"
    for sample in ("classifier.agent", "responder.agent", "qa.agent"):
        project.write(f"notebooks/{sample}.yaml", (SAMPLES / f"{sample}.yaml").read_text())
    workflow = SAMPLES / "customer_support_pipeline.workflow.yaml"
    project.write("workflow.yaml", workflow.read_text())
    deployed = json.loads(project.call("deploy", "workflow.yaml", "--json").stdout)
    agents = [one["agent"] for one in deployed["deployed"]]
    assert sorted(agents) == ["classifier", name, "qa", "responder"]
    assert agents[-1] == name
    ours = {one for one in shown(up) if one.startswith("customer_support_pipeline")}
    assert len(ours) == 4  # its job, its assets' group, its schedule and its sensor

    crash, bill = (
        json.loads(project.call("run", name, "--input", json.dumps(ticket), "--json").stdout)
        for ticket in (CRASH, BILL)
    )
    assert (crash["status"], bill["status"]) == ("SUCCESS", "SUCCESS"), (crash, bill)
    first, second = crash["outputs"], bill["outputs"]
    categories = [one["ticket_classifier"]["category"] for one in (first, second)]
    assert categories == ["bug", "billing"]
    assert "error message" in first["response_generator"]["reply"]
    assert "number of the invoice" in second["response_generator"]["reply"]
    assert [one["quality_checker"]["verdict"] for one in (first, second)] == ["send", "send"]
    below = asked(up, BELOW, {"key": "agentflow/parent_run", "value": crash["run_id"]})
    jobs = {run["jobName"] for run in below["runsOrError"]["results"]}
    assert jobs == {"classifier_job", "responder_job", "qa_job"}

    listed = json.loads(project.call("list", "workflows", "--json").stdout)["agents"]
    assert {one["name"]: one["state"] for one in listed}[name] == "live"
    described = project.call("describe", "workflow", name).stdout
    for words in (f"{name}  v1", "POST /hooks/api/v1/tickets", "0 9 * * 1-5", "quality_checker"):
        assert words in described

    gone = project.call("delete", "workflow", name, given="y\n")
    assert (gone.returncode, gone.stdout) == (0, f"{name} v1 is no longer live in local.\n")
    assert not ours & shown(up)
    listed = json.loads(project.call("list", "workflows", "--json").stdout)["agents"]
    assert name not in {one["name"] for one in listed}


def test_a_run_that_fails_is_tried_again_and_then_left_to_a_person(up: Up, tmp_path: Path) -> None:
    project, mended = up.project, tmp_path / "mended"
    project.write("notebooks/flaky.agent.yaml", FLAKY)
    assert project.call("deploy", "notebooks/flaky.agent.yaml").returncode == 0

    def states() -> list[str]:
        runs = json.loads(project.call("runs", "flaky", "--json").stdout)["runs"]
        return [run["status"] for run in runs]

    given = json.dumps({"path": str(mended)})
    assert project.call("run", "flaky", "--input", given).returncode == 1
    wait_until(lambda: states() == ["FAILURE", "FAILURE"])
    (letter,) = json.loads(project.call("dlq", "list", "--json").stdout)["dead_letters"]
    assert (letter["agent"], letter["attempts"], letter["input"]) == ("flaky", 2, given)
    assert "No such file" in letter["error"]
    assert letter["id"] in project.call("dlq", "list", "--agent", "flaky").stdout

    mended.touch()
    sent = project.call("dlq", "retry", letter["id"])
    assert (sent.returncode, letter["id"] in sent.stdout) == (0, True)
    assert "asked for before" in project.call("dlq", "retry", letter["id"]).stdout
    wait_until(lambda: states() == ["SUCCESS", "FAILURE", "FAILURE"])
    assert project.call("dlq", "list").stdout == "Nothing has failed for good.\n"
    assert json.loads(project.call("dlq", "retry", "--all", "--json").stdout) == {"retried": []}
    wrong = project.call("dlq", "drop", "run-9999")
    assert (wrong.returncode, "There is no dead letter 'run-9999'" in wrong.stderr) == (2, True)
    assert project.call("dlq", "retry").returncode == 2


def test_what_is_past_its_age_is_deleted_by_a_schedule(up: Up) -> None:
    assert "agentflow_retention__hourly" in shown(up)
    launched = asked(up, LAUNCH_RETENTION)["launchRun"]["run"]["runId"]
    done = up.project.call("live-view", launched, "--json")
    assert done.returncode == 0, done.stdout
    steps = [line["node"] for line in map(json.loads, done.stdout.splitlines()) if "node" in line]
    assert set(steps) == {"clear"}


def asked(up: Up, query: str, tag: dict[str, str] | None = None) -> dict[str, Any]:
    """Dagster's answer, as its UI gets it."""
    address = f"http://127.0.0.1:{up.ports[1]}/graphql"
    sent = {"query": query, "variables": {"tag": tag}}
    return httpx.post(address, json=sent, timeout=60).json()["data"]


def shown(up: Up) -> set[str]:
    """What Dagster's UI lists: jobs, groups of assets, schedules and sensors."""
    query = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
      ... on RepositoryLocation { repositories { jobs { name } assetGroups { groupName }
        schedules { name } sensors { name } } } } } } } }"""
    entries = asked(up, query)["workspaceOrError"]["locationEntries"]
    repositories = [r for one in entries for r in one["locationOrLoadError"]["repositories"]]
    lists = [part for repository in repositories for part in repository.values()]
    return {name for part in lists for one in part for name in one.values()}
