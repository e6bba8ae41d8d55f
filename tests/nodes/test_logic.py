"""`logic.switch` and `logic.merge`: the ways that part, and meet again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.logic_merge import Merge, MergeConfig
from agentflow_dagster.nodes.logic_switch import Switch, SwitchConfig
from tests.support.contexts import context
from tests.support.documents import minimal, plan, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, Value

CHAT: JsonObject = {"kind": "ai.chat", "with": {"prompt": "hi"}}


def merging(*names: str) -> MergeConfig:
    return MergeConfig.model_validate({"from": names})


class TestSwitch:
    @pytest.mark.parametrize(
        ("cases", "default", "taken"),
        [
            ({"a": True, "b": True}, None, "a"),
            ({"b": True, "a": True}, None, "b"),
            ({"a": False, "b": True}, "c", "b"),
            ({"a": False}, "c", "c"),
            ({"a": False}, "a", "a"),
        ],
    )
    async def test_the_first_case_that_holds(
        self, cases: dict[str, bool], default: str | None, taken: str
    ) -> None:
        done = await Switch().run(context(), SwitchConfig(cases=cases, default=default))
        assert (done.port, done.output) == (taken, None)

    async def test_no_case_holds(self) -> None:
        with pytest.raises(RunError, match="No case of 'probe' holds") as caught:
            await Switch().run(context(), SwitchConfig(cases={"a": False}))
        assert "default" in caught.value.hint
        assert not caught.value.retryable

    def test_its_ports_are_its_cases_and_the_default(self) -> None:
        assert Switch().ports({"cases": {"a": True, "b": "{{x}}"}, "default": "c"}) == (
            "a",
            "b",
            "c",
        )
        assert Switch().ports({"cases": {"a": True}, "default": "a"}) == ("a",)
        assert not Switch.asset

    @pytest.mark.parametrize("name", ["result", "error", "Upper", "a-b", ""])
    def test_names_that_no_case_may_have(self, name: str) -> None:
        nodes: JsonObject = {"s": {"kind": "logic.switch", "with": {"cases": {name: True}}}}
        (found,) = problems(minimal(nodes))
        assert found.code in {"AF112", "AF113"}
        assert found.pointer == f"/spec/nodes/s/with/cases/{name}"


class TestMerge:
    @pytest.mark.parametrize(
        ("upstream", "expected"),
        [({"a": 1, "b": 2}, 1), ({"b": 2}, 2), ({"a": None, "b": 2}, None)],
    )
    async def test_the_first_that_ran(self, upstream: dict[str, Value], expected: Value) -> None:
        done = await Merge().run(context(upstream=upstream), merging("a", "b"))
        assert done.output == expected

    async def test_none_of_them_has_an_output(self) -> None:
        with pytest.raises(RunError, match="None of a, b has an output") as caught:
            await Merge().run(context(), merging("a", "b"))
        assert not caught.value.retryable

    def test_its_output_is_any_of_theirs(self) -> None:
        one, two = {"type": "string"}, {"type": "number"}
        config: JsonObject = {"from": ["a", "b", "c"]}
        assert Merge().output_schema(config, {"a": one, "b": one, "c": one}) == one
        found = Merge().output_schema(config, {"a": one, "b": two, "c": one})
        assert found == {"anyOf": [one, two]}

    def test_it_waits_for_all_or_any_of_them(self) -> None:
        for join, role in [("any", "any"), ("all", "required")]:
            merge: JsonObject = {"kind": "logic.merge", "join": join, "with": {"from": ["a", "b"]}}
            edges = plan(minimal({"a": CHAT, "b": CHAT, "m": merge})).step("m").edges
            assert [(edge.source, edge.role) for edge in edges] == [("a", role), ("b", role)]
