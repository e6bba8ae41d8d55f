"""How long a publish takes to be seen in the UI, and a project to be validated, with many agents.

    python benchmarks/deploy.py [--agents 300] [--per-location 50 300] [--runs 3]

The agents are those of compile.py. They are put into a database of their own, a platform is brought
up on it (code servers, webserver, daemon), and one agent's prompt is changed and deployed by the
command, several times over:

- `live_s`: from the start of `agentflow deploy FILE` until the webserver's GraphQL gives the
  changed node the new code version; the median;
- `deploy_s`: until the command has ended;
- `up_s`: until the platform is up;
- `resident_mib`: what the code servers and the process that they are forked from hold, summed as
  proportional set size;
- `validate_s`: `dagster definitions validate` on the project, as one code location.

Each number of agents per location is a platform of its own; the last is one location for all. Stops
what it starts. Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import httpx

sys.path.insert(0, str(Path(__file__).parent))
from compile import document

from agentflow_dagster.graph.check import plan_of
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations.announcement import announced
from agentflow_dagster.operations.components import Ports
from agentflow_dagster.operations.locations import ROOM_VARIABLE
from agentflow_dagster.operations.platform import Platform, start_platform
from agentflow_dagster.operations.project import Project
from agentflow_dagster.operations.scaffold import scaffold
from agentflow_dagster.spec.canonical import content_hash, to_json
from agentflow_dagster.stores import database_url, open_stores

if TYPE_CHECKING:
    from collections.abc import Generator

    from agentflow_dagster.ports.stores import VersionHash
    from agentflow_dagster.spec.values import JsonObject

BIN = f"{sys.prefix}/bin"
LONGEST_SECONDS = 180.0
TARGETS = {"live_s": 5.0, "validate_s": 15.0}
CODE_VERSION = """
query Version($key: AssetKeyInput!) {
  assetNodes(assetKeys: [$key], loadMaterializations: false) { opVersion }
}"""


@dataclass(frozen=True, slots=True)
class Figures:
    """One number of agents per location; seconds and mebibytes."""

    agents: int
    per_location: int
    locations: int
    live_s: float
    live_s_slowest: float
    deploy_s: float
    up_s: float
    resident_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Times a publish, and a validation.")
    parser.add_argument("--agents", type=int, default=300, help="how many are deployed")
    parser.add_argument(
        "--per-location", nargs="+", type=int, default=[50, 300], help="most agents in a location"
    )
    parser.add_argument("--runs", type=int, default=3, help="publishes to take the median of")
    chosen = parser.parse_args()
    figures: list[Figures] = []
    validate: list[float] = []
    for per_location in chosen.per_location:
        with prepared(chosen.agents, per_location) as project:
            figures.append(measure(project, chosen.agents, per_location, chosen.runs))
            if not validate:
                validate.append(validated(project))
    report(chosen.agents, figures, validate[0])


@contextmanager
def prepared(agents: int, per_location: int) -> Generator[Project]:
    """A project that has so many agents deployed, and no working files."""
    with tempfile.TemporaryDirectory(prefix="agentflow-bench-", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o711)
        root = Path(made) / "project"
        scaffold(root)
        shutil.rmtree(root / "notebooks")
        (root / "notebooks").mkdir()
        variables = {
            **{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
            ROOM_VARIABLE: str(per_location),
            "OPENAI_API_KEY": "",
        }
        variables.pop("AGENTFLOW_DATABASE_URL", None)
        project = Project(root, root / ".agentflow", "local", variables)
        project.make_home()
        with (
            database_url(project.home, variables) as url,
            open_stores(url, project.artifacts) as stores,
        ):
            kinds = builtin_kinds()
            for number in range(agents):
                agent = plan_of(document(f"agent-{number:03d}", number), kinds).agent
                hash_ = cast("VersionHash", content_hash(agent))
                stores.versions.put(agent.name, hash_, to_json(agent), {})
                stores.versions.deploy("local", hash_, room=per_location)
            yield project


def measure(project: Project, agents: int, per_location: int, runs: int) -> Figures:
    """Brings a platform up and publishes one of its agents."""
    began = time.perf_counter()
    with (
        announced(project) as announce,
        start_platform(project, Ports.free(gateway=False), progress=told) as platform,
    ):
        up = time.perf_counter() - began
        announce(platform)
        number = agents // 2
        taken = [publish(project, platform, number, run) for run in range(runs)]
        return Figures(
            agents=agents,
            per_location=per_location,
            locations=len(platform.client.locations()),
            live_s=round(statistics.median(live for live, _ in taken), 2),
            live_s_slowest=round(max(live for live, _ in taken), 2),
            deploy_s=round(statistics.median(ended for _, ended in taken), 2),
            up_s=round(up, 1),
            resident_mib=round(resident(platform)),
        )


def publish(project: Project, platform: Platform, number: int, run: int) -> tuple[float, float]:
    """Seconds until a changed agent is seen, and until the command has ended."""
    name = f"agent-{number:03d}"
    file = project.root / "notebooks" / f"{name}.agent.yaml"
    file.write_text(json.dumps(changed(document(name, number), run)))
    before = code_version(platform, name)
    began = time.perf_counter()
    with subprocess.Popen(
        [f"{BIN}/agentflow", "deploy", str(file)],
        cwd=project.root,
        env=dict(project.variables),
        stdout=subprocess.DEVNULL,
    ) as command:
        while code_version(platform, name) == before:
            if time.perf_counter() - began > LONGEST_SECONDS:
                raise TimeoutError(f"{name} was not live after {LONGEST_SECONDS:g} s.")
            time.sleep(0.05)
        live = time.perf_counter() - began
        if command.wait(LONGEST_SECONDS) != 0:
            raise RuntimeError("The deploy failed.")
        return live, time.perf_counter() - began


def changed(agent: JsonObject, run: int) -> JsonObject:
    """The agent with another prompt."""
    nodes = cast("Any", agent)["spec"]["nodes"]
    nodes["read"]["with"]["prompt"] += f" Changed {run}."
    return agent


def code_version(platform: Platform, agent: str) -> str | None:
    """The code version of the agent's first node, as the webserver tells it."""
    key = {"path": [agent.replace("-", "_"), "read"]}
    answer = platform.client.http.post(
        f"{platform.client.url}/graphql",
        json={"query": CODE_VERSION, "variables": {"key": key}},
        timeout=httpx.Timeout(LONGEST_SECONDS),
    ).json()
    if answer.get("errors"):
        raise RuntimeError(answer["errors"][0]["message"])
    (node,) = answer["data"]["assetNodes"] or [{"opVersion": None}]
    return node["opVersion"]


def resident(platform: Platform) -> float:
    """What the code servers hold, and the warm parent with those that it has forked, in mebibytes:
    shared pages are split among who shares them."""
    import psutil

    assert platform.processes is not None
    assert platform.code_servers is not None
    servers = platform.code_servers
    named = ["warm-parent", *(servers.process(location) for location in servers.locations)]
    roots = [platform.processes.pid(name) for name in named]
    parents = [psutil.Process(pid) for pid in roots]
    every = [p for parent in parents for p in (parent, *parent.children(recursive=True))]
    return sum(p.memory_full_info().pss for p in every) / 2**20


def validated(project: Project) -> float:
    """Seconds that `dagster definitions validate` takes."""
    began = time.perf_counter()
    subprocess.run(
        [f"{BIN}/dagster", "definitions", "validate"],
        cwd=project.root,
        env={**project.variables, "DAGSTER_HOME": ""},
        check=True,
        capture_output=True,
        timeout=LONGEST_SECONDS,
    )
    return round(time.perf_counter() - began, 2)


def told(what: str) -> None:
    """Nothing: a benchmark is read by its figures."""


def report(agents: int, figures: list[Figures], validate: float) -> None:
    print(f"{agents} agents; seconds and MiB")
    columns = [name for name in Figures.__dataclass_fields__ if name != "agents"]
    print("".join(f"{name:>16}" for name in columns))
    for each in figures:
        print("".join(f"{getattr(each, name):16}" for name in columns))
    print(f"dagster definitions validate: {validate} s")
    print(
        json.dumps(
            {
                "benchmark": "deploy",
                "cores": os.cpu_count(),
                f"live_s_of_{agents}": figures[0].live_s,
                f"validate_s_of_{agents}": validate,
                "targets": TARGETS,
                "met": figures[0].live_s <= TARGETS["live_s"] and validate <= TARGETS["validate_s"],
                "results": [asdict(each) for each in figures],
            }
        )
    )


if __name__ == "__main__":
    main()
