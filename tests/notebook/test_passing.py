"""What cannot pass is told where the text makes it certain, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.notebook.conftest import Read

TAKEN = "\n---node:b\ny = x"


@pytest.mark.parametrize(
    ("text", "what", "severity"),
    [
        ("x = open('f')", "an open file", "error"),
        ("x = (n for n in [1])", "a generator", "error"),
        ("x = map(str, [1])", "an iterator", "error"),
        ("import threading\nx = threading.Lock()", "a Lock", "error"),
        ("from threading import Lock as L\nx = L()", "a Lock", "error"),
        ("import re\nx: object = re.compile('a')", "a compiled pattern", "warning"),
        ("from datetime import datetime\nx = datetime.now()", "a datetime", "warning"),
        ("import datetime as dt\nx = dt.date.today()", "a date", "warning"),
        ("x = {1, 2}", "a set", "warning"),
        ("x = 1, 2", "a tuple", "warning"),
    ],
)
def test_what_is_certain(read: Read, text: str, what: str, severity: str) -> None:
    found = read(f"---node:a\n{text}{TAKEN}").only("AF635")
    assert found.message.startswith(f"node 'a' (cell 1) passes on 'x', {what}, ")
    assert found.severity == severity
    assert (found.cell, found.line) == (0, text.count("\n") + 1)
    assert found.hint


@pytest.mark.parametrize(
    "text",
    [
        "x = open('f').read()",
        "x = [n for n in [1]]",
        "x = {1, 2}\nx = sorted(x)",
        "x = (1, 2)\nfor x in x: pass",
        "x = map(str, [1])\ndef f():\n    global x\n    x = 1\nf()",
        "x = 1\nif x:\n    x = (1, 2)",
        "if True:\n    x = {1}\nelse:\n    x = 1",
        "def open(f): return f\nx = open('f')",
        "import re\nre = None or __import__('json')\nx = re.compile('a')",
        "x = unknown.Lock()\nunknown = 1",
        "x = list(zip([1], [2]))",
        "x = [(1, 2)]",
        "lock = (n for n in [1])\nx = list(lock)",
        "exec('x = 1')\nx = {1}",
    ],
)
def test_what_may_pass_is_not_judged(read: Read, text: str) -> None:
    assert "AF635" not in read(f"---node:a\n{text}{TAKEN}").codes


def test_only_what_is_passed_on_is_judged(read: Read) -> None:
    assert read(f"---node:a\nf = open('f')\nx = f.read()\ng = {{1}}{TAKEN}").codes == []
    assert read("---node:a\nf = open('f')").codes == ["AF635"]  # an output of the agent
    assert read("---node:a\n_f = open('f')\nx = 1").codes == []


def test_imports_and_names_of_other_cells_count(read: Read) -> None:
    setup = "---setup\nimport re\n"
    assert read(f"{setup}---node:a\nx = re.compile('a'){TAKEN}").codes == ["AF635"]
    own = "---setup\ndef open(f): return f\n"
    assert read(f"{own}---node:a\nx = open('f'){TAKEN}").codes == []


def test_a_notebook_that_registers_types_is_trusted_with_types(read: Read) -> None:
    setup = (
        "---setup\nfrom agentflow_dagster import register_type\n"
        "register_type(set, store=sorted, restore=set)\n"
    )
    assert read(f"{setup}---node:a\nx = {{1}}{TAKEN}").codes == []
    assert read(f"{setup}---node:a\nx = open('f'){TAKEN}").codes == ["AF635"]
