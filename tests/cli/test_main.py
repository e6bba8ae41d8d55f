"""What holds for every command: help, statuses, terminals, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster import __version__
from agentflow_dagster.cli.main import _COMMANDS
from tests.support.command import Command, command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Project

IN_A_PROJECT = ["demo", "down", "list", "live-view", "retention", "runs", "up"]


@pytest.mark.parametrize("name", _COMMANDS)
def test_help_says_what_a_command_does_by_example(nowhere: Command, name: str) -> None:
    done = nowhere.run(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: agentflow {name}" in done.stdout
    assert f"\n    agentflow {name}" in done.stdout


def test_help_lists_every_command(nowhere: Command) -> None:
    done = nowhere.run("--help")
    assert done.returncode == 0
    for name, said in _COMMANDS.items():
        assert name in done.stdout
        assert said.partition(" ")[0] in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chekc"], "Did you mean 'check'?"),
        (["--no-such"], "No such option '--no-such'"),
        (["up", "--dagster-port", "99999"], "99999 is not in the range"),
        (["runs", "--limit", "0"], "0 is not in the range"),
    ],
)
def test_a_wrong_call_is_told(nowhere: Command, arguments: list[str], said: str) -> None:
    done = nowhere.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("name", IN_A_PROJECT)
def test_outside_a_project_it_says_so(nowhere: Command, name: str) -> None:
    done = nowhere.run(name)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not inside an AgentFlow project" in done.stderr
    assert "agentflow init" in done.stderr


def test_version(nowhere: Command) -> None:
    assert nowhere.run("version").stdout == f"agentflow {__version__}\n"
    told = json.loads(nowhere.run("version", "--json").stdout)
    assert told["agentflow"] == __version__
    assert {"python", "dagster", "jupyterlab", "litellm"} <= set(told)


def test_the_schema_is_one(nowhere: Command) -> None:
    done = nowhere.run("schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["$schema"].startswith("https://json-schema.org/")


@pytest.mark.parametrize("charset", ["C", "POSIX"])
@pytest.mark.parametrize("utf8", ["0", "1"])
def test_a_terminal_without_utf8_is_no_reason_to_fail(
    shared: Project, charset: str, utf8: str
) -> None:
    plain = {"LC_ALL": charset, "PYTHONUTF8": utf8, "PYTHONCOERCECLOCALE": "0", "LANG": ""}
    variables = {**shared.command.variables, **plain}
    done = Command(shared.root, variables).run("describe", "adds-up")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Adds [/up]" in done.stdout
    assert "\x1b" not in done.stdout
    told = Command(shared.root, variables).run("describe", "adds-up", "--json")
    assert json.loads(told.stdout)["document"]["metadata"]["icon"] == "∑"


def test_a_reader_that_goes_away_is_no_error(nowhere: Command) -> None:
    with subprocess.Popen(
        [*command(), "schema"],
        env=nowhere.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in {0, 1}


def test_ctrl_c_ends_with_130(shared: Project, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [*command(), "run", "adds-up", "--input", f"@{pipe}"],
        cwd=shared.root,
        env=shared.command.environment,
        stderr=subprocess.PIPE,
    ) as process:
        descriptor = os.open(pipe, os.O_WRONLY)  # returns once the command reads
        process.send_signal(signal.SIGINT)
        try:
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
            os.close(descriptor)
    assert told.decode().strip() == "Interrupted."
    assert process.returncode == 130
