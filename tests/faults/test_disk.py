"""A disk that is full, or may not be written to, costs the runs that need it, and no other."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from agentflow_dagster.ports.stores import InboxEvent
    from tests.faults.rig import Rig
    from tests.orchestration.bench import Ran

pytestmark = pytest.mark.fault

LONG = "entry " * 12_000
"""More than stands in a row."""
AGENT = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: writer}
spec:
  inputs: {type: object, required: [text], properties: {text: {type: string}}}
  nodes:
    first: {kind: ai.chat, with: {prompt: hello}}
    second: {kind: ai.chat, after: [first], with: {prompt: "TEXT{{input.text}}"}}
    third: {kind: ai.chat, after: [second], with: {prompt: there}}
"""


@pytest.fixture
def disk(rig: Rig) -> Generator[Path]:
    """Large values are kept in a file system of 32 KiB."""
    folder = rig.bench.artifacts
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def remount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)


def done(rig: Rig, event: InboxEvent, *, runs: int) -> Ran:
    """The run of an event, once there are so many runs and all have ended."""
    assert rig.begin(event).done
    rig.until_ended(runs)
    return rig.bench.ran(str(rig.run_of(event)))


@pytest.mark.parametrize("wrong", ["full", "read-only"])
def test_an_output_that_cannot_be_kept_fails_its_run(rig: Rig, disk: Path, wrong: str) -> None:
    rig.bench.serve(
        AGENT.replace("TEXT", LONG), AGENT.replace("TEXT", "").replace("writer", "calm")
    )
    long = rig.events("writer", [{"text": ""}, {"text": ""}])
    (short,) = rig.events("calm", [{"text": "x"}])
    if wrong == "read-only":
        remount(disk, "ro")
    engine = rig.start()

    failed = done(rig, long[0], runs=1)
    assert failed.status == "FAILURE"
    assert failed.succeeded == set(failed.values) == failed.materialized == {"first"}
    assert failed.failed == {"second"}
    assert "cannot be written to" in failed.told()
    assert "Is there room" in failed.told()

    assert done(rig, short, runs=2).status == "SUCCESS"
    remount(disk, "rw,size=4m")
    assert done(rig, long[1], runs=3).status == "SUCCESS"
    assert engine.is_alive()


def test_an_input_that_cannot_be_kept_is_refused(rig: Rig, disk: Path) -> None:
    """There is nothing of the run then, and the event can be asked for again."""
    rig.bench.serve(AGENT.replace("TEXT", ""))
    long, short = rig.events("writer", [{"text": LONG}, {"text": "x"}])
    engine = rig.start()
    with pytest.raises(RunError, match="cannot be written to"):
        rig.begin(long)
    assert rig.run_of(long) is None
    assert done(rig, short, runs=1).status == "SUCCESS"
    remount(disk, "size=4m")
    assert done(rig, long, runs=2).status == "SUCCESS"
    assert engine.is_alive()
