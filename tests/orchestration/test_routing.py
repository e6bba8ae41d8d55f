"""Ways through an agent: which steps run, which are skipped, and that the run succeeds.

`test_semantics.py` tries random agents; these are the ones that an author writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.orchestration.samples import TRIAGE, agent

if TYPE_CHECKING:
    from tests.orchestration.bench import Bench

ECHO = "kind: ai.chat, with: {prompt: "


@pytest.mark.parametrize(
    ("body", "taken", "left_out"), [("a bug", "file_bug", "draft"), ("hello", "draft", "file_bug")]
)
def test_a_switch_takes_one_way(bench: Bench, body: str, taken: str, left_out: str) -> None:
    bench.serve(TRIAGE)
    ran = bench.run("support-triage", {"body": body})
    assert ran.status == "SUCCESS"
    assert ran.succeeded == {"classify", "route", taken, "done"}
    assert ran.skipped == {left_out}
    assert ran.materialized == {"classify", taken, "done"}
    assert ran.values["done"].value == ran.values[taken].value


def test_what_follows_an_untaken_way_is_skipped_to_its_end(bench: Bench) -> None:
    nodes = """
    route: {kind: logic.switch, with: {cases: {left: "{{input.left}}"}, default: right}}
    a: {kind: ai.chat, after: [route.left], with: {prompt: a}}
    b: {kind: ai.chat, with: {prompt: "{{a.output.text}}"}}
    c: {kind: ai.chat, after: [b], with: {prompt: c}}
    d: {kind: ai.chat, after: [route.right], with: {prompt: d}}
    """
    bench.serve(agent("untaken", nodes, inputs="{left: {type: boolean}}"))
    ran = bench.run("untaken", {"left": False})
    assert ran.status == "SUCCESS"
    assert ran.succeeded == {"route", "d"}
    assert ran.skipped == {"a", "b", "c"}


def test_a_merge_of_three_takes_the_first_that_ran(bench: Bench) -> None:
    nodes = """
    route:
      kind: logic.switch
      with: {cases: {one: "{{input.way == 'one'}}", two: "{{input.way == 'two'}}"}, default: three}
    a: {kind: ai.chat, after: [route.one], with: {prompt: a}}
    b: {kind: ai.chat, after: [route.two], with: {prompt: b}}
    c: {kind: ai.chat, after: [route.three], with: {prompt: c}}
    done: {kind: logic.merge, join: any, with: {from: [c, b, a]}}
    """
    bench.serve(agent("three", nodes, inputs="{way: {type: string}}"))
    for way, node in {"one": "a", "two": "b", "x": "c"}.items():
        ran = bench.run("three", {"way": way})
        assert ran.succeeded == {"route", node, "done"}
        assert ran.values["done"].value == {"text": f"re: {node}"}


def test_two_ways_that_both_ran_are_merged_by_the_order_of_from(bench: Bench) -> None:
    nodes = """
    a: {kind: ai.chat, with: {prompt: a}}
    b: {kind: ai.chat, with: {prompt: b}}
    done: {kind: logic.merge, join: any, with: {from: [b, a]}}
    """
    bench.serve(agent("both", nodes))
    assert bench.run("both").values["done"].value == {"text": "re: b"}


@pytest.mark.parametrize(("join", "runs"), [("all", False), ("any", True)])
def test_join_says_how_many_of_after_are_needed(bench: Bench, join: str, runs: bool) -> None:
    nodes = f"""
    maybe: {{kind: ai.chat, when: "{{{{input.on}}}}", with: {{prompt: m}}}}
    sure: {{kind: ai.chat, with: {{prompt: s}}}}
    last: {{kind: ai.chat, after: [maybe, sure], join: {join}, with: {{prompt: l}}}}
    """
    bench.serve(agent(f"join-{join}", nodes, inputs="{on: {type: boolean}}"))
    assert "last" in bench.run(f"join-{join}", {"on": True}).succeeded
    ran = bench.run(f"join-{join}", {"on": False})
    assert ran.status == "SUCCESS"
    assert ("last" in ran.succeeded) is runs
    assert ("last" in ran.skipped) is not runs


def test_a_false_when_skips_the_node_and_what_needs_it(bench: Bench) -> None:
    nodes = """
    first: {kind: ai.chat, when: "{{input.on}}", with: {prompt: f}}
    second: {kind: ai.chat, with: {prompt: "{{first.output.text}}"}}
    other: {kind: ai.chat, with: {prompt: o}}
    """
    bench.serve(agent("whens", nodes, inputs="{on: {type: boolean}}"))
    ran = bench.run("whens", {"on": False})
    assert ran.status == "SUCCESS"
    assert ran.materialized == {"other"}
    assert ran.skipped == {"second"}
    assert "first" not in ran.values


@pytest.mark.parametrize("on", [True, False])
def test_a_guarded_read_waits_and_does_not_skip(bench: Bench, on: bool) -> None:
    nodes = """
    zz_first: {kind: ai.chat, when: "{{input.on}}", with: {prompt: f}}
    aa_reader: {kind: ai.chat, with: {prompt: "{{has(zz_first.output) ? zz_first.output.text : 'none'}}"}}
    """  # noqa: E501
    bench.serve(agent("guarded", nodes, inputs="{on: {type: boolean}}"))
    ran = bench.run("guarded", {"on": on})
    assert ran.status == "SUCCESS"
    assert ran.values["aa_reader"].value == {"text": "re: re: f" if on else "re: none"}


def test_a_guarded_read_beside_other_edges_does_not_skip(bench: Bench) -> None:
    nodes = """
    maybe: {kind: ai.chat, when: "{{input.on}}", with: {prompt: m}}
    gone: {kind: ai.chat, after: [maybe], with: {prompt: g}}
    sure: {kind: ai.chat, with: {prompt: s}}
    all: {kind: ai.chat, after: [sure], with: {prompt: "{{has(gone.output) ? 'y' : 'n'}}"}}
    any: {kind: ai.chat, after: [sure, maybe], join: any, with: {prompt: "{{has(gone.output) ? 'y' : 'n'}}"}}
    """  # noqa: E501
    bench.serve(agent("guards", nodes, inputs="{on: {type: boolean}}"))
    ran = bench.run("guards", {"on": False})
    assert ran.status == "SUCCESS"
    assert ran.values["all"].value == ran.values["any"].value == {"text": "re: n"}


def test_a_diamond_joins_once(bench: Bench) -> None:
    nodes = """
    top: {kind: ai.chat, with: {prompt: t}}
    left: {kind: ai.chat, with: {prompt: "l {{top.output.text}}"}}
    right: {kind: ai.chat, with: {prompt: "r {{top.output.text}}"}}
    end: {kind: ai.chat, with: {prompt: "{{left.output.text}}+{{right.output.text}}"}}
    """
    bench.serve(agent("diamond", nodes))
    ran = bench.run("diamond")
    assert ran.values["end"].value == {"text": "re: re: l re: t+re: r re: t"}
    assert len(bench.model.requests) == 4


def test_an_agent_may_end_in_a_choice(bench: Bench) -> None:
    """Dagster refuses a graph whose last op makes no asset."""
    nodes = """
    ask: {kind: ai.chat, with: {prompt: a}}
    outer: {kind: logic.switch, with: {cases: {yes: "{{ask.output.text != ''}}"}, default: no_}}
    inner: {kind: logic.switch, after: [outer.yes], with: {cases: {on: "{{true}}"}, default: off_}}
    """
    bench.serve(agent("choice", nodes))
    ran = bench.run("choice")
    assert ran.status == "SUCCESS"
    assert ran.values["inner"].port == "on"
    assert ran.materialized == {"ask", "inner"}


def test_an_agent_may_do_nothing_but_choose(bench: Bench) -> None:
    nodes = """
    only: {kind: logic.switch, with: {cases: {yes: "{{true}}"}}}
    """
    bench.serve(agent("chooser", nodes))
    assert bench.run("chooser").values["only"].port == "yes"
