"""Nodes of other kinds than code, in a real kernel with nothing else running."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.jupyter.conftest import Kernel

CLASSIFY = """\
%%node classify --kind ai.classify
---
labels: {bug: something is broken, howto: how to use it}
---
{{text}}"""
ROUTE = """\
%%node route --kind logic.switch
cases: {bug: "{{classify.label == 'bug'}}"}
default: other"""


@pytest.fixture
def triage(kernel: Kernel) -> Kernel:
    """A notebook whose ticket is a bug."""
    kernel.run("body = 'The app crashes when I save a file.'")
    kernel.run("%%node clean\ntext = body.strip()")
    return kernel


def test_a_prompt_runs_and_its_node_is_a_name(triage: Kernel) -> None:
    ran = triage.run(CLASSIFY)
    first, reads, *output = ran.summary.splitlines()
    assert first.startswith("node classify: ")
    assert first.endswith(" tokens, $0, offline/extractive")
    assert reads == "  reads text (from clean)"
    assert '    "label": "bug",' in output
    assert triage.run("classify['label']").result == "'bug'"


def test_what_a_switch_does_not_choose_is_skipped(triage: Kernel) -> None:
    triage.run(CLASSIFY)
    assert ", left by bug" in triage.run(ROUTE).summary
    other = triage.run("%%node reply --kind ai.summarize --after route.other\n{{text}}")
    assert other.summary.splitlines()[0] == "node reply: skipped"
    assert triage.run("'reply' in globals()").result == "False"
    after = triage.run("%%node sent --after reply\nraise ValueError")
    assert after.summary == "node sent: skipped"
    merged = "%%node done --kind logic.merge --join any\nfrom: [reply, fix]"
    triage.run("%%node fix --kind ai.summarize --after route.bug\n{{text}}")
    assert "crashes" in triage.run(merged).summary


def test_when_is_asked_here_too(triage: Kernel) -> None:
    skipped = triage.run("%%node a --when '{{size(text) > 99}}'\nx = 1").summary
    assert skipped.splitlines()[0] == "node a: skipped"
    assert triage.run("'x' in globals()").result == "False"
    assert "makes x (1)" in triage.run("%%node a --when '{{size(text) > 9}}'\nx = 1").summary


def test_a_line_gives_its_code_names(triage: Kernel) -> None:
    ran = triage.run("%%node a --in n={{size(text)}} --in b={{input.body}}\nx = [n, b[:3]]\nx")
    assert ran.result == "[35, 'The']"
    assert "reads body, text (from clean)" in ran.summary


def test_tables_pass_to_nodes_of_every_kind(kernel: Kernel) -> None:
    kernel.run("%%node load\nimport pandas as pd\nframe = pd.DataFrame({'a': [1, 2, 3]})")
    table = (
        "%%node few --kind transform.table\ninputs: {t: '{{frame}}'}\nsql: select sum(a) s from t"
    )
    assert kernel.run(table).error == ""
    assert kernel.run("int(few['table'].s[0])").result == "6"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("%%node a --kind ai.chat\n{{nope}}", "node 'a' reads 'nope', which has no value here."),
        ("%%node a --kind ai.chat --after b\nHi", "'a' comes after 'b', which has not run here."),
        ("%%node a --kind ai.cat\nHi", "There is no kind 'ai.cat'. Did you mean 'ai.chat'?"),
        ("%%node a --kind logic.switch\ncases: [", "Line 3: Not YAML"),
        ("%%node a --kind logic.switch\ncase: {}", "case"),
        ("%%node a --kind ai.chat\n{{1 +}}", "In '{{1 +}}'"),
        ("%%node a --kind tool.http\nurl: http://127.0.0.1:1/\nmethod: GET", "127.0.0.1:1/ failed"),
        ("%%agentflow agent\nnam: x", "Line 2: An agent has no 'nam'."),
        ("%agentflow agent", "%agentflow agent is a cell."),
        ("%%agentflow version\nx", "%%agentflow version takes no cell."),
        ("%agentflow check --fil x", "unrecognized arguments: --fil x"),
        ("%agentflow check", "Which file this notebook is cannot be told here."),
        ("%agentflow check --file nowhere.ipynb", "There is no file 'nowhere.ipynb'."),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(kernel: Kernel, source: str, said: str) -> None:
    ran = kernel.run(source)
    assert ran.status == "error"
    assert said in ran.error
    assert ran.traceback == ran.error


class TestOutOfDate:
    """What a cell shows of its node is brought up to date where others change."""

    def test_an_edit_marks_what_follows_from_it(self, triage: Kernel) -> None:
        triage.run(CLASSIFY)
        triage.run(ROUTE)
        triage.run("%%node own\nalone = 1")
        triage.run("%%node fix --kind ai.summarize --after route.bug\nIt is so.")
        ran = triage.run("%%node clean\ntext = body.strip() + '!'")
        marked = {bundle["text/plain"].splitlines()[0].split()[1][:-1] for bundle in ran.updated
                  if "out of date: " in bundle["text/plain"]}  # fmt: skip
        assert marked == {"classify", "route", "fix"}

    def test_a_value_that_changes_elsewhere_marks_its_readers(self, triage: Kernel) -> None:
        assert triage.run("body = 'The app crashes when I save a file.'").updated == []
        (bundle,) = triage.run("body = 'Other'").updated
        assert "out of date: body changed; run it again" in bundle["text/plain"]
        assert "Run this cell again" in bundle["text/html"]
        assert triage.run("body = 'The app crashes when I save a file.'").updated != []

    def test_who_reads_it_is_told(self, triage: Kernel) -> None:
        (bundle,) = triage.run("%%node n\nx = len(text)").updated
        assert "read by n" in bundle["text/plain"]


def test_the_agents_defaults_hold_here(kernel: Kernel) -> None:
    cell = "%%agentflow agent\ndescription: x\ndefaults: {llm: {model: offline/nothing}}"
    assert "defaults     llm" in kernel.run(cell).result
    assert "There is no such offline model." in kernel.run("%%node a --kind ai.chat\nHi").error


class TestPeople:
    """Who runs the cell is asked in it."""

    ASK = "%%node ok --kind human.approval\nask: Pay?\nshow: {amount: 3}"

    def test_a_decision(self, kernel: Kernel) -> None:
        ran = kernel.run(self.ASK, "perhaps", "yes")
        assert '"amount": 3' in ran.text
        assert ran.text.count("Pay? (yes/no) ") == 2
        assert "node ok: " in ran.summary
        refused = kernel.run(self.ASK, "n")
        assert ", left by rejected" in refused.summary
        assert "skipped" in kernel.run("%%node pay --after ok\nx = 1").summary

    def test_a_form(self, kernel: Kernel) -> None:
        schema = (
            "{type: object, required: [n], properties: {n: {type: integer}, t: {type: string}}}"
        )
        cell = f"%%node form --kind human.input\nask: How many?\nschema: {schema}"
        ran = kernel.run(cell, "x", "", "3", "a b")
        assert "How many?" in ran.text
        assert ran.error == ""
        assert kernel.run("form").result == "{'n': 3, 't': 'a b'}"

    def test_where_nobody_is(self, kernel: Kernel) -> None:
        assert "nobody can be asked here" in kernel.run(self.ASK, alone=True).error


def test_an_interrupt_stops_the_node(kernel: Kernel) -> None:
    soon = "import os, signal, threading\nstop = lambda: os.kill(os.getpid(), signal.SIGINT)"
    kernel.run(f"{soon}\nthreading.Timer(1, stop).start()")
    slow = "{nodes: {b: {kind: code.python, with: {code: import time; time.sleep(30)}}}}"
    ran = kernel.run(f"%%node a --kind logic.loop\nover: [1]\nbody: {slow}")
    assert ran.error.startswith("KeyboardInterrupt")


def test_the_tab_key(kernel: Kernel) -> None:
    assert "check" in kernel.complete("%agentflow ch")
    assert "--file" in kernel.complete("%agentflow check --f")
    assert "--kind" in kernel.complete("%%node a --k")
    assert "ai.chat" in kernel.complete("%%node a --kind ai.c")
