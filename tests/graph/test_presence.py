"""Which nodes run in every case; reads of nodes that may not have run (AF207)."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentflow_dagster.graph.presence import MAX_COMBINATIONS, Choices, presence
from agentflow_dagster.graph.topology import Edge, Topology, sort
from tests.support.documents import codes, minimal, problems
from tests.support.properties import patiently

if TYPE_CHECKING:
    from agentflow_dagster.graph.topology import Role
    from agentflow_dagster.spec.values import JsonObject

GO = "{{input.go == 'y'}}"
CHAT: JsonObject = {"kind": "ai.chat", "with": {"prompt": "hi"}}
SKIPPABLE: JsonObject = {**CHAT, "when": GO}
HANDLED: JsonObject = {**CHAT, "onError": {"to": "b"}}
SWITCH: JsonObject = {"kind": "logic.switch", "with": {"cases": {"x": GO}, "default": "y"}}
MERGE: JsonObject = {"kind": "logic.merge", "join": "any", "with": {"from": ["a", "b"]}}
ROUTED: dict[str, JsonObject] = {
    "route": SWITCH,
    "a": {**CHAT, "after": ["route.x"]},
    "b": {**CHAT, "after": ["route.y"]},
}


def reading(text: str) -> JsonObject:
    return {"kind": "ai.chat", "with": {"prompt": text}}


def either(text: str, *, when: str = GO) -> JsonObject:
    """A node for which one of `a` and `b` is enough."""
    return {**reading(text), "after": ["a", "b"], "join": "any", "when": when}


def out(text: str, **nodes: JsonObject) -> JsonObject:
    inputs: JsonObject = {"properties": {"go": {"type": "string"}}}
    return minimal(dict(nodes), outputs={"out": text}, inputs=inputs)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (out("{{a.output.text}}", a=CHAT), []),
        (out("{{a.output.text}}", **ROUTED), ["AF207"]),
        (out("{{has(a.output) ? a.output.text : ''}}", **ROUTED), []),
        (out("{{has(a.output.text) ? a.output.text : ''}}", **ROUTED), ["AF207"]),
        (out("{{m.output.text}}", **ROUTED, m=MERGE), []),
        (out("{{a.output.text}}", a=SKIPPABLE), ["AF207"]),
        # A node that waits for all that it reads is skipped with it: nothing to tell.
        (out("", a=SKIPPABLE, b=reading("{{a.output.text}}")), []),
        # A node that one of several is enough for is due without the other.
        (out("", **ROUTED, c=either("{{a.output.text}}")), ["AF207"]),
        (out("", **ROUTED, c=either("x", when="{{a.output.text == 'y'}}")), ["AF207"]),
        (out("", **ROUTED, c=either("{{has(a.output) ? a.output.text : 'b'}}")), []),
        (out("", **ROUTED, s=CHAT, c=either("{{s.output.text}}")), []),
        # A handled error leaves by a port of its own.
        (out("{{a.output.text}}", a=HANDLED, b=CHAT), ["AF207"]),
        (out("{{a.error.message}}", a=HANDLED, b=CHAT), ["AF207"]),
        (out("{{has(a.error) ? a.error.message : a.output.text}}", a=HANDLED, b=CHAT), []),
        (out("{{m.output.text}}", a=HANDLED, b=CHAT, m=MERGE), []),
    ],
)
def test_reads_of_what_may_be_skipped(document: JsonObject, expected: list[str]) -> None:
    assert codes(document) == expected


def test_the_hint_is_the_guard() -> None:
    (found,) = problems(out("{{a.output.text}}", **ROUTED))
    assert (found.pointer, found.message) == (
        "/spec/outputs/out",
        "'a' may have been skipped here.",
    )
    assert found.hint == "Guard it: has(a.output) ? a.output.text : …, a value of the same type."
    assert codes(out("{{has(a.output) ? a.output.text : ''}}", **ROUTED)) == []
    (found,) = problems(out("{{a.error.message}}", a=HANDLED, b=CHAT))
    assert found.message == "'a' may have succeeded here."
    assert found.hint == "Guard it: has(a.error) ? a.error.message : …, a value of the same type."


def test_a_case_that_is_always_followed_by_its_merge() -> None:
    """Both ways meet again; what comes after runs in any case."""
    assert codes(out("{{z.output.text}}", **ROUTED, m=MERGE, z=reading("{{m.output.text}}"))) == []


def test_too_many_choices_are_not_judged() -> None:
    skippable = {f"n{i}": SKIPPABLE for i in range(17)}
    assert codes(out("{{n0.output.text}}", **skippable)) == []
    few = dict(list(skippable.items())[:16])
    assert codes(out("{{n0.output.text}}", **few)) == ["AF207"]
    assert MAX_COMBINATIONS == 2**16


ROLES: list[Role | None] = [None, None, "required", "any", "optional"]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Topology, dict[str, Choices]]:
    names = [f"n{i}" for i in range(draw(st.integers(1, 6)))]
    choices = {
        name: Choices(
            draw(st.sampled_from([("result",), ("x", "y"), ("result", "error")])),
            draw(st.booleans()),
        )
        for name in names
    }
    edges = [
        Edge(source, draw(st.sampled_from(choices[source].ports)), target, role)
        for i, source in enumerate(names)
        for target in names[i + 1 :]
        if (role := draw(st.sampled_from(ROLES))) is not None
    ]
    topology = sort(names, edges)
    assert isinstance(topology, Topology)
    return topology, choices


@patiently(150)
@given(graphs(), st.data())
def test_it_agrees_with_playing_every_run(
    graph: tuple[Topology, dict[str, Choices]], data: st.DataObject
) -> None:
    topology, choices = graph
    judged = presence(topology, choices)
    assert judged is not None
    node = data.draw(st.sampled_from(topology.order))
    port = data.draw(st.sampled_from(choices[node].ports))
    when = data.draw(st.sampled_from([None, *topology.order]))
    assume(when != node)
    runs = list(played(topology, choices))
    expected = any(taken.get(node) != port for taken, due in runs if when is None or when in due)
    assert judged.may_lack(node, port, when=when) is expected


def played(
    topology: Topology, choices: dict[str, Choices]
) -> list[tuple[dict[str, str], set[str]]]:
    """The port that each node takes, and the nodes that are due, for every way to choose."""
    options = [
        [*choices[name].ports, *([None] if choices[name].skippable else [])]
        for name in topology.order
    ]
    runs: list[tuple[dict[str, str], set[str]]] = []
    for chosen in product(*options):
        taken: dict[str, str] = {}
        due: set[str] = set()
        for name, choice in zip(topology.order, chosen, strict=True):
            edges = topology.into(name)
            required = all(taken.get(e.source) == e.port for e in edges if e.role == "required")
            enough = [taken.get(e.source) == e.port for e in edges if e.role == "any"]
            if any(enough) if enough else required:
                due.add(name)
            if required and (any(enough) or not enough) and choice is not None:
                taken[name] = choice
        runs.append((taken, due))
    return runs
