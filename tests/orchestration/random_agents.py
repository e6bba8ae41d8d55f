"""Random agents, and what ought to happen in their runs, told apart from how AgentFlow does it.

An agent here is a list of `Part`s, each of which may wait for earlier ones. `document` writes it
down for AgentFlow; `interpret` says by the rules of the format which nodes run and how they leave.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.spec.values import JsonObject

NAMES = (
    *("config", "type", "output", "result", "context", "meta", "dict", "float", "str", "none"),
    *("class_", "def", "error", "any", "start", "after_0", "maybe_0", "job", "a", "x" * 63),
)
CASES = ("left", "type", "error_", "output")


@dataclass(frozen=True)
class Part:
    """One node.

    Args:
        kind: `chat` asks the model, `switch` chooses a way by the input, `merge` takes what ran.
        after: `(node, port)` that it names under `after`, or a merge under `from`.
        join: How many of these must be there.
        peeks: Nodes that it reads under `has()`.
        when: Whether it has a `when`, which the input answers.
        handler: Where its errors go.
        cases: The ways out of a switch; the last is its default.
    """

    name: str
    kind: Literal["chat", "switch", "merge"]
    after: tuple[tuple[str, str], ...] = ()
    join: Literal["all", "any"] = "all"
    peeks: tuple[str, ...] = ()
    when: bool = False
    handler: str | None = None
    cases: tuple[str, ...] = ()

    @property
    def ports(self) -> tuple[str, ...]:
        own = self.cases if self.kind == "switch" else ("result",)
        return (*own, "error") if self.handler else own


@dataclass(frozen=True)
class Plot:
    """What will happen in a run.

    Args:
        takes: The way that each switch takes.
        unmet: Nodes whose `when` is false.
        failing: Nodes whose model call fails.
    """

    takes: Mapping[str, str]
    unmet: frozenset[str]
    failing: frozenset[str]

    def input(self, agent: Sequence[Part]) -> JsonObject:
        """The input of such a run."""
        flags: JsonObject = {f"when_{p.name}": p.name not in self.unmet for p in agent if p.when}
        return {**flags, **{f"take_{name}": way for name, way in self.takes.items()}}


@dataclass
class Outcome:
    """What a run ought to come to: how each node left, by name."""

    left: dict[str, str] = field(default_factory=dict[str, str])
    failed: set[str] = field(default_factory=set[str])
    passed: set[str] = field(default_factory=set[str])

    @property
    def succeeds(self) -> bool:
        return not self.failed


def interpret(agent: Sequence[Part], plot: Plot) -> Outcome:
    """The rules: a node runs once all it waits for is settled, if its edges are there.

    What waits for a node that failed unhandled, in whichever way, does not run.
    """
    told = Outcome()
    lost: set[str] = set()
    for part in agent:
        waits = [source for source, _, _ in edges_into(agent, part.name)]
        if lost & {*waits, *part.peeks}:
            lost.add(part.name)
            continue
        there = [told.left.get(s) == port for s, port, _ in edges_into(agent, part.name)]
        if there and not (any(there) if part.join == "any" else all(there)):
            continue
        _do(part, plot, told, lost)
    return told


def _has_something(part: Part, told: Outcome) -> bool:
    """A merge that only an error led to has nothing to go on with, and fails."""
    return part.kind != "merge" or any(told.left.get(s) == "result" for s, _ in part.after)


def interpret_partial(
    agent: Sequence[Part], plot: Plot, source: Outcome, selected: frozenset[str]
) -> Outcome:
    """The rules of a run that makes the selected nodes only, on the input of a source run.

    A node that was not selected is as it was in the source run, as long as the way to it is still
    taken. A merge of several ways is skipped where none of those that are run was taken, even if
    one that is not run was: Dagster looks at what is in the run.
    """
    told = Outcome()
    lost: set[str] = set()
    for part in agent:
        edges = edges_into(agent, part.name)
        if part.name in selected and lost & {*(source for source, _, _ in edges), *part.peeks}:
            lost.add(part.name)
        elif not _reached_in_part(part, edges, told, selected):
            pass
        elif part.name in assets(agent) - selected:
            told.left |= {part.name: source.left[part.name]} if part.name in source.left else {}
        else:
            _do(part, plot, told, lost)
    return told


def interpret_again(agent: Sequence[Part], plot: Plot, failed: Outcome) -> Outcome:
    """What a failed run and its re-execution from there ought to come to together."""
    told = Outcome()
    lost: set[str] = set()
    for part in agent:
        edges = edges_into(agent, part.name)
        there = [told.left.get(source) == port for source, port, _ in edges]
        if lost & {*(source for source, _, _ in edges), *part.peeks}:
            lost.add(part.name)
        elif there and not (any(there) if part.join == "any" else all(there)):
            pass
        elif part.name in failed.left:
            told.left[part.name] = failed.left[part.name]
        elif part.name not in failed.passed:
            _do(part, plot, told, lost)
    return told


def _reached_in_part(
    part: Part, edges: Sequence[tuple[str, str, str]], told: Outcome, selected: frozenset[str]
) -> bool:
    taken = {(s, port): told.left.get(s) == port for s, port, _ in edges}
    in_run = [there for (s, port), there in taken.items() if port != "result" or s in selected]
    if not taken or part.join == "all":
        return all(taken.values())
    return any(taken.values()) and (any(in_run) or not in_run)


def _do(part: Part, plot: Plot, told: Outcome, lost: set[str]) -> None:
    if part.name in plot.unmet:
        told.passed.add(part.name)
    elif part.kind == "switch":
        told.left[part.name] = plot.takes[part.name]
    elif part.name not in plot.failing and _has_something(part, told):
        told.left[part.name] = "result"
    elif part.handler:
        told.left[part.name] = "error"
    else:
        told.failed.add(part.name)
        lost.add(part.name)


def assets(agent: Sequence[Part]) -> set[str]:
    """What holds data, and what nothing follows."""
    followed = {s for p in agent for s, _, _ in edges_into(agent, p.name)}
    followed |= {peeked for p in agent for peeked in p.peeks}
    return {p.name for p in agent if p.kind != "switch" or p.name not in followed}


def edges_into(agent: Sequence[Part], name: str) -> list[tuple[str, str, str]]:
    """`(source, port, target)` of what governs whether a node runs."""
    part = next(p for p in agent if p.name == name)
    handled = [(p.name, "error") for p in agent if p.handler == name]
    return [(source, port, name) for source, port in dict.fromkeys([*part.after, *handled])]


def document(name: str, agent: Sequence[Part]) -> JsonObject:
    """The agent as AgentFlow takes it."""
    flags = {f"when_{p.name}": {"type": "boolean"} for p in agent if p.when}
    ways = {f"take_{p.name}": {"type": "string"} for p in agent if p.kind == "switch"}
    told: dict[str, Any] = {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": name},
        "spec": {
            "inputs": {
                "type": "object",
                "properties": {**flags, **ways},
                "required": [*flags, *ways],
            },
            "nodes": {part.name: _node(part) for part in agent},
        },
    }
    return told


def _node(part: Part) -> dict[str, Any]:
    peeks = "".join(f" {{{{has({p}.output) ? 'yes' : 'no'}}}}" for p in part.peeks)
    told: dict[str, Any] = {"join": part.join}
    if part.kind != "merge":
        told["after"] = [f"{source}.{port}" for source, port in part.after]
    if part.when:
        told["when"] = f"{{{{input.when_{part.name}}}}}"
    if part.handler:
        told["onError"] = {"to": part.handler}
    match part.kind:
        case "chat":
            return {**told, "kind": "ai.chat", "with": {"prompt": f"{part.name}{peeks}"}}
        case "merge":
            sources = [source for source, _ in part.after]
            return {**told, "kind": "logic.merge", "with": {"from": sources}}
        case "switch":
            cases = {c: f"{{{{input.take_{part.name} == '{c}'}}}}" for c in part.cases[:-1]}
            with_ = {"cases": cases, "default": part.cases[-1]}
            return {**told, "kind": "logic.switch", "with": with_}


@st.composite
def agents(draw: st.DrawFn, *, most: int = 7) -> tuple[Part, ...]:
    """Agents of a few nodes with at least one that holds data."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=most, unique=True))
    parts: list[Part] = []
    handlers: dict[str, str] = {}
    for index, name in enumerate(names):
        later = names[index + 1 :]
        values = [p.name for p in parts if p.kind != "switch"]
        kinds = ["chat", "chat", "switch", *(["merge"] * 2 if values else [])]
        kind = "chat" if index == 0 and len(names) == 1 else draw(st.sampled_from(kinds))
        part = _part(draw, name, kind, parts, values)
        if kind == "chat" and later and draw(st.booleans()):
            handlers[name] = draw(st.sampled_from(later))
        parts.append(replace(part, handler=handlers.get(name)))
    if all(p.kind == "switch" for p in parts):
        parts[0] = Part(parts[0].name, "chat")
        parts[1:] = [replace(p, after=()) for p in parts[1:]]
    return tuple(parts)


def _part(
    draw: st.DrawFn, name: str, kind: Any, parts: Sequence[Part], values: Sequence[str]
) -> Part:
    ports = [(p.name, port) for p in parts for port in p.ports]
    some = st.sets(st.sampled_from(ports), max_size=3) if ports else st.just(set())
    after = tuple(sorted(draw(some)))
    join: Literal["all", "any"] = draw(st.sampled_from(["all", "any"]))
    when = draw(st.integers(0, 3)) == 0
    if kind == "merge":
        few = st.lists(st.sampled_from(list(values)), min_size=1, max_size=3, unique=True)
        return Part(name, "merge", tuple((v, "result") for v in draw(few)), join, when=when)
    if kind == "switch":
        cases = st.lists(st.sampled_from(CASES), min_size=2, max_size=3, unique=True)
        return Part(name, "switch", after, join, when=when, cases=tuple(draw(cases)))
    peeks = st.sets(st.sampled_from(list(values)), max_size=2) if values else st.just(set())
    return Part(name, "chat", after, join, peeks=tuple(sorted(draw(peeks))), when=when)


@st.composite
def plots(draw: st.DrawFn, agent: Sequence[Part], *, failing: bool = True) -> Plot:
    """What may happen in a run of an agent."""
    takes = {p.name: draw(st.sampled_from(p.cases)) for p in agent if p.kind == "switch"}
    unmet = {p.name for p in agent if p.when and draw(st.booleans())}
    fails = {p.name for p in agent if failing and p.kind == "chat" and draw(st.booleans())}
    return Plot(takes, frozenset(unmet), frozenset(fails))
