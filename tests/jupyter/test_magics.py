"""`%%node` and `%agentflow` in a real kernel."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import agentflow_dagster

if TYPE_CHECKING:
    from tests.jupyter.conftest import Kernel


class TestNode:
    def test_the_body_runs_in_the_notebooks_namespace(self, kernel: Kernel) -> None:
        kernel.run("rows = [1, 2]")
        ran = kernel.run("%%node add\ntotal = sum(rows)\nprint('added')")
        assert (ran.status, ran.text) == ("ok", "added\n")
        assert kernel.run("total").result == "3"

    def test_a_summary_says_what_it_read_and_made(self, kernel: Kernel) -> None:
        kernel.run("import math\nrate = 2.0\ndef double(x): return x * rate")
        kernel.run("%%node load\nimport pandas as pd\nframe = pd.DataFrame({'a': [1, 2, 3]})")
        ran = kernel.run(
            "%%node use --timeout 5s\nn = double(len(frame)) + math.pi * 0\n"
            "_own = {1}\nkept = {1}\nfor i in []: pass"
        )
        first, *rest = ran.summary.splitlines()
        assert re.fullmatch(r"node use: \d+ ms", first)
        assert rest == [
            "  reads frame (from load)",
            "  makes n (6.0), kept (set of 1, stays in this node)",
        ]

    def test_a_value_made_anew_elsewhere_is_no_longer_the_nodes(self, kernel: Kernel) -> None:
        kernel.run("%%node load\nrows = [1]")
        kernel.run("rows = [2]")
        assert "reads rows\n" in kernel.run("%%node use\nn = len(rows)").summary

    def test_the_summary_has_html_for_both_themes(self, kernel: Kernel) -> None:
        ran = kernel.run("%%node a\nx = '<script>alert(1)</script>'")
        html = ran.shown[0]["text/html"]
        assert "<script>" not in html
        assert "&lt;script&gt;" in html
        assert "var(--jp-" in html
        assert "color: inherit" in html

    def test_a_change_to_anothers_value_is_warned_of(self, kernel: Kernel) -> None:
        kernel.run("%%node load\nrows = [1]")
        ran = kernel.run("%%node use\nrows.append(2)\nn = 1")
        assert "warning: rows was made elsewhere and is changed in place" in ran.summary

    def test_the_last_expression_is_shown(self, kernel: Kernel) -> None:
        assert kernel.run("%%node a\nx = 1\nx + 1").result == "2"
        assert kernel.run("%%node a\nx = 1\nx + 1;").result == ""
        assert kernel.run("%%node a\nx = 1\nNone").result == ""

    def test_functions_see_names_that_are_made_later(self, kernel: Kernel) -> None:
        kernel.run("%%node a\ndef f(): return later\nlater = 1\nx = f()")
        assert kernel.run("later = 2\nf()").result == "2"

    def test_the_line_is_taken_as_it_stands(self, kernel: Kernel) -> None:
        kernel.run("name = 'other'")
        assert "node-name" in kernel.run("%%node {name}\nx = 1").error.replace(" ", "-")

    def test_help(self, kernel: Kernel) -> None:
        for source in ("%node --help", "%%node --help\nx = 1 / 0"):
            ran = kernel.run(source)
            assert ran.status == "ok"
            assert "usage: %%node NAME" in ran.text
            assert "--memory" in ran.text


class TestErrors:
    def test_an_error_shows_the_authors_lines_as_the_editor_counts_them(
        self, kernel: Kernel
    ) -> None:
        ran = kernel.run("%%node a\nx = 1\ndef f():\n    return x / 0\nf()")
        assert (ran.status, ran.error) == ("error", "ZeroDivisionError: division by zero")
        assert "----> 5 f()" in ran.traceback
        assert "----> 4     return x / 0" in ran.traceback
        assert "run_cell_magic" not in ran.traceback
        assert "body.py" not in ran.traceback
        assert kernel.run("x").result == "1"

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("%%node a\nx = 1\ny = (", "Line 3: node 'a' is not Python: '(' was never closed."),
            ("%%node a\nx = 1\n%time y = 1", "Line 3: node 'a' uses a notebook magic"),
            ("%%node a\nimport asyncio\nawait asyncio.sleep(0)", "Line 3: node 'a' awaits"),
            ("%%node a\nfrom math import *", "Line 2: node 'a' has `from math import *`"),
            ("%%node A\nx = 1", "'A' is not a node name"),
            ("%%node\nx = 1", "required: NAME"),
            ("%%node a --timeout 5\nx = 1", "write 500ms, 30s"),
            ("%agentflow dance", "%agentflow has no 'dance'"),
        ],
    )
    def test_a_cell_that_cannot_ship_does_not_run(
        self, kernel: Kernel, source: str, said: str
    ) -> None:
        ran = kernel.run(source)
        assert ran.status == "error"
        assert ran.error.startswith("UsageError: ")
        assert said in ran.error
        assert ran.traceback == ran.error
        assert kernel.run("'x' in globals()").result == "False"

    def test_an_interrupt_is_passed_on(self, kernel: Kernel) -> None:
        assert kernel.run("%%node a\nraise KeyboardInterrupt").status == "error"


class TestAgentflow:
    def test_version(self, kernel: Kernel) -> None:
        expected = f"AgentFlow {agentflow_dagster.__version__}\n"
        assert kernel.run("%agentflow version").text == expected

    @pytest.mark.parametrize("line", ["%agentflow", "%agentflow help"])
    def test_help(self, kernel: Kernel, line: str) -> None:
        assert "%%node NAME" in kernel.run(line).text


def test_in_a_terminal() -> None:
    source = "%load_ext agentflow_dagster\nget_ipython().run_cell('%%node a\\nx = [1]\\nx')"
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "IPython",
            "--quick",
            "--no-banner",
            "--colors=nocolor",
            "-c",
            source,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "[1]" in ran.stdout
    assert "makes x (list of 1)" in ran.stdout


def test_the_package_loads_without_ipython() -> None:
    source = "import sys, agentflow_dagster\nprint(*{m.partition('.')[0] for m in sys.modules})"
    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert "agentflow_dagster" in ran.stdout.split()
    assert not {"IPython", "pandas", "dagster", "pydantic"} & set(ran.stdout.split())
