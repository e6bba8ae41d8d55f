"""How long a process takes until it is of use: AgentFlow beside bare Python and stock Dagster.

    python benchmarks/startup.py [--runs 15]

Whole processes are timed by the wall, seconds; the commands take turns, so that a busy machine
slows all of them alike. Bytecode is there already: a first round is run and thrown away. Prints a
table with each median as a ratio of bare Python's, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

BIN = f"{sys.prefix}/bin"


@dataclass(frozen=True, slots=True)
class Command:
    """A process to time; `target` is the most seconds that its median should take, on 2 cores."""

    name: str
    argv: tuple[str, ...]
    target: float | None = None


COMMANDS = (
    Command("python -c pass", (sys.executable, "-c", "pass")),
    Command(
        "import agentflow_dagster", (sys.executable, "-c", "import agentflow_dagster"), target=0.3
    ),
    Command("agentflow --help", (f"{BIN}/agentflow", "--help"), target=0.7),
    Command("import dagster", (sys.executable, "-c", "import dagster")),
    Command("dagster --help", (f"{BIN}/dagster", "--help")),
)


def seconds(command: Command) -> float:
    """How long the process took.

    Raises:
        subprocess.CalledProcessError: it failed, so its time says nothing.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(command.argv, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Times whole processes, side by side.")
    parser.add_argument("--runs", type=int, default=15, help="rounds to take the median of")
    runs: int = parser.parse_args().runs

    for command in COMMANDS:
        seconds(command)
    rounds = [{command.name: seconds(command) for command in COMMANDS} for _ in range(runs)]

    bare = statistics.median(taken[COMMANDS[0].name] for taken in rounds)
    print(f"{'':26}{'median s':>9}{'fastest':>9}{'slowest':>9}{'ratio':>7}  target s")
    report: list[dict[str, str | float | bool | None]] = []
    for command in COMMANDS:
        taken = sorted(one[command.name] for one in rounds)
        median = statistics.median(taken)
        met = None if command.target is None else median <= command.target
        verdict = "" if met is None else f"  {command.target} {'met' if met else 'MISSED'}"
        print(
            f"{command.name:26}{median:9.3f}{taken[0]:9.3f}{taken[-1]:9.3f}"
            f"{median / bare:7.1f}{verdict}"
        )
        report.append(
            {
                "name": command.name,
                "median_s": round(median, 4),
                "ratio": round(median / bare, 2),
                "target_s": command.target,
                "met": met,
            }
        )
    load = os.getloadavg()[0]
    print(
        json.dumps(
            {
                "benchmark": "startup",
                "runs": runs,
                "cores": os.cpu_count(),
                "load": round(load, 1),
                "results": report,
            }
        )
    )


if __name__ == "__main__":
    main()
