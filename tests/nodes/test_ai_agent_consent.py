"""`approve` of `ai.agent` and `taintedEffects: approve` of its agent: a person is asked once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.engine.graph_run import run_graph
from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.engine.step import Attempt, Services
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.ports.waits import Answer
from tests.support.contexts import SmallRunner
from tests.support.documents import minimal, plan
from tests.support.loopback import Loopback, Reply
from tests.support.tool_agent import Talker, says

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.engine.graph_run import GraphRun
    from agentflow_dagster.ports.waits import Asked
    from agentflow_dagster.spec.values import JsonObject

NUMBER: JsonObject = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.fixture
def service() -> Iterator[Loopback]:
    with Loopback({path: Reply(200, '{"is": "done"}') for path in ("/page", "/post")}) as server:
        yield server


@dataclass
class Person:
    """Says the same to all; keeps by which paths it was asked."""

    approves: bool = True
    paths: list[str] = field(default_factory=list[str])

    async def ask(self, path: str, asked: Asked) -> None:
        raise AssertionError

    async def answer(self, path: str, asked: Asked) -> Answer:
        self.paths.append(path)
        return Answer(datetime(2027, 1, 1, tzinfo=UTC), {"approved": self.approves}, "mara")


def http(url: str, method: str = "GET", **more: Any) -> JsonObject:
    return {"kind": "tool.http", "with": {"url": url, "method": method, **more}}


async def ran(person: Person, nodes: JsonObject, **config: Any) -> GraphRun:
    """An agent whose model calls its tool once."""
    tool: JsonObject = {
        "description": "Posts it.",
        "parameters": NUMBER,
        "nodes": nodes,
        "outputs": {"done": True},
    }
    helper: JsonObject = {
        "kind": "ai.agent",
        "with": {"prompt": "Post it.", "tools": {"post": tool}, **config},
    }
    document = minimal({"helper": helper}, config={"taintedEffects": "approve"})
    made = plan(document)
    model = Talker(replies=deque([says("", ("post", {"n": 1})), says("ok")]))
    services = Services(builtin_kinds(), model, SmallRunner(), EnvironmentSecrets({}))
    begin = replace(Attempt.first(made, {}, run_id="run-1"), waits=person)
    return await run_graph(made, made.steps, begin, services)


async def test_who_has_allowed_a_call_is_not_asked_for_what_it_does(service: Loopback) -> None:
    person = Person()
    nodes: JsonObject = {"post": http(f"{service.url}/post", "POST", json={"n": "{{args.n}}"})}
    done = await ran(person, nodes, approve="always")
    assert not done.failures, done.failures
    assert person.paths == ["helper"]
    assert len(service.requests) == 1


async def test_without_a_word_for_the_call_the_effect_is_asked_about(service: Loopback) -> None:
    person = Person()
    nodes: JsonObject = {"post": http(f"{service.url}/post", "POST", json={"n": "{{args.n}}"})}
    done = await ran(person, nodes)
    assert not done.failures, done.failures
    assert person.paths == ["helper.post[0].post.approval"]


async def test_a_refused_call_has_no_effect(service: Loopback) -> None:
    person = Person(approves=False)
    nodes: JsonObject = {"post": http(f"{service.url}/post", "POST", json={"n": "{{args.n}}"})}
    await ran(person, nodes, approve="always")
    assert person.paths == ["helper"]
    assert service.requests == []


async def test_what_came_from_outside_within_a_call_was_not_seen(service: Loopback) -> None:
    """The page decides what is posted; whoever allowed the call saw its number alone."""
    person = Person()
    nodes: JsonObject = {
        "page": http(f"{service.url}/page"),
        "post": http(f"{service.url}/post", "POST", json={"n": "{{page.output.body}}"}),
    }
    done = await ran(person, nodes, approve="always")
    assert not done.failures, done.failures
    assert person.paths == ["helper", "helper.post[0].post.approval"]
