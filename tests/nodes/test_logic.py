"""`logic.if`, `logic.switch` and `logic.merge`: the ways that part, and meet again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.logic_if import If, IfConfig
from agentflow_dagster.nodes.logic_merge import Merge, MergeConfig
from agentflow_dagster.nodes.logic_switch import Switch, SwitchConfig
from agentflow_dagster.spec.values import BYTES, Part
from tests.support.contexts import context
from tests.support.documents import codes, minimal, plan, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, JsonValue, Value

CHAT: JsonObject = {"kind": "ai.chat", "with": {"prompt": "hi"}}


def merging(*names: str, **more: JsonValue) -> MergeConfig:
    return MergeConfig.model_validate({"from": names, **more})


class TestIf:
    @pytest.mark.parametrize(("condition", "port"), [(True, "then"), (False, "else")])
    async def test_two_ways(self, condition: bool, port: str) -> None:
        done = await If().run(context(), IfConfig(condition=condition))
        assert (done.port, done.output) == (port, None)

    def test_what_follows_names_the_way(self) -> None:
        node: JsonObject = {"kind": "logic.if", "with": {"condition": "{{run.id != ''}}"}}
        after: JsonObject = {**CHAT, "after": ["i.else"]}
        made = plan(minimal({"i": node, "a": after}))
        assert not made.step("i").asset
        assert [(e.source, e.port) for e in made.step("a").edges] == [("i", "else")]
        assert codes(minimal({"i": node, "a": {**CHAT, "after": ["i"]}})) == ["AF305"]

    def test_a_condition_is_true_or_false(self) -> None:
        node: JsonObject = {"kind": "logic.if", "with": {"condition": "{{run.id}}"}}
        assert codes(minimal({"i": node})) == ["AF206"]


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

    @pytest.mark.parametrize(
        ("strategy", "upstream", "expected"),
        [
            ("all", {"b": 2, "a": 1}, [1, 2]),
            ("all", {"b": 2}, [2]),
            ("concat", {"a": [1], "b": [2, 3]}, [1, 2, 3]),
            ("concat", {"a": "x", "b": "y"}, "x\ny"),
            ("object", {"a": {"x": 1, "y": 1}, "b": {"y": 2}}, {"x": 1, "y": 2}),
            ("vote", {"a": "n", "b": "y", "c": "y"}, {"value": "y", "votes": 2, "of": 3}),
            ("vote", {"a": "n", "b": "y"}, {"value": "n", "votes": 1, "of": 2}),
            (
                "vote",
                {"a": {"x": 1.0, "y": 2}, "b": {"y": 2, "x": 1}},
                {"value": {"x": 1.0, "y": 2}, "votes": 2, "of": 2},
            ),
        ],
    )
    async def test_strategies(
        self, strategy: str, upstream: dict[str, Value], expected: Value
    ) -> None:
        config = merging("a", "b", "c", strategy=strategy)
        done = await Merge().run(context(upstream=upstream), config)
        assert done.output == expected

    @pytest.mark.parametrize(
        ("strategy", "upstream"),
        [
            ("concat", {"a": "x", "b": ["y"]}),
            ("concat", {"a": 1}),
            ("object", {"a": {}, "b": []}),
            ("vote", {"a": Part(BYTES, b"x")}),
        ],
    )
    async def test_what_a_strategy_cannot_take(
        self, strategy: str, upstream: dict[str, Value]
    ) -> None:
        with pytest.raises(RunError, match=f"cannot be merged by `{strategy}`") as caught:
            await Merge().run(context(upstream=upstream), merging("a", "b", strategy=strategy))
        assert not caught.value.retryable

    async def test_a_field_of_each(self) -> None:
        upstream: dict[str, Value] = {"a": {"text": "x"}, "b": {"text": "y"}}
        config = merging("a", "b", strategy="concat", field="text", separator=" + ")
        assert (await Merge().run(context(upstream=upstream), config)).output == "x + y"
        with pytest.raises(RunError, match="The output of 'a' has no field 'txt'"):
            await Merge().run(context(upstream=upstream), merging("a", field="txt"))

    @pytest.mark.parametrize(
        ("strategy", "schemas", "expected"),
        [
            ("all", [{"type": "string"}] * 2, {"type": "array", "items": {"type": "string"}}),
            ("concat", [{"type": "string"}] * 2, {"type": "string"}),
            (
                "concat",
                [{"type": "array", "items": {"type": "string"}}, {"type": "array"}],
                {"type": "array", "items": {"anyOf": [{"type": "string"}, {}]}},
            ),
            ("concat", [{"type": "string"}, {"type": "array"}], {}),
            (
                "object",
                [
                    {"properties": {"x": {"type": "string"}, "y": {}}, "required": ["x", "y"]},
                    {"properties": {"x": {"type": "number"}}, "required": ["x"]},
                ],
                {
                    "type": "object",
                    "properties": {
                        "x": {"anyOf": [{"type": "string"}, {"type": "number"}]},
                        "y": {},
                    },
                    "required": ["x"],
                },
            ),
        ],
    )
    def test_what_a_strategy_puts_out_is_known(
        self, strategy: str, schemas: list[JsonSchema], expected: JsonSchema
    ) -> None:
        config: JsonObject = {"from": ["a", "b"], "strategy": strategy}
        upstream = dict(zip("ab", schemas, strict=True))
        assert Merge().output_schema(config, upstream) == expected

    def test_an_expression_knows_what_was_voted_on(self) -> None:
        labels: JsonObject = {"x": "one", "y": "two"}
        judge: JsonObject = {"kind": "ai.classify", "with": {"text": "t", "labels": labels}}
        config: JsonObject = {"from": ["a", "b"], "strategy": "vote", "field": "label"}
        nodes: JsonObject = {"a": judge, "b": judge, "m": {"kind": "logic.merge", "with": config}}
        right: JsonObject = {"x": "{{m.output.value == 'x' && m.output.votes > 1}}"}
        assert codes(minimal(nodes, outputs=right)) == []
        assert codes(minimal(nodes, outputs={"x": "{{m.output.value > 1}}"})) == ["AF204"]
