"""`logic.loop` and `logic.parallel`: graphs of nodes inside a node, run in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import pytest

from agentflow_dagster.ports.journal import MemoryJournal
from tests.support.contexts import SmallModel
from tests.support.documents import minimal, plan, problems
from tests.support.in_memory import InMemory

if TYPE_CHECKING:
    from agentflow_dagster.ports.stores import StepOutput
    from agentflow_dagster.spec.values import JsonObject, JsonValue

NUMBERS: JsonObject = {
    "type": "object",
    "properties": {"numbers": {"type": "array", "items": {"type": "integer"}}},
}


def doubling(**config: JsonValue) -> JsonObject:
    """A loop that doubles each number, and one that reads what it gave."""
    body: JsonObject = {
        "nodes": {
            "twice": {
                "kind": "code.python",
                "with": {
                    "code": "if n == 13: raise ValueError('unlucky')\nd = n * 2",
                    "inputs": {"n": "{{item}}"},
                    "outputs": {"d": {"type": "integer"}},
                },
            }
        },
        "outputs": {"n": "{{item}}", "d": "{{twice.output.d}}", "at": "{{index}}"},
    }
    nodes: JsonObject = {
        "each": {
            "kind": "logic.loop",
            "with": {"over": "{{input.numbers}}", "body": body, **config},
        },
    }
    outputs: JsonObject = {"all": "{{each.output.items.map(i, i.d)}}"}
    return minimal(nodes, inputs=NUMBERS, outputs=outputs)


class TestForEach:
    async def test_every_item_in_its_order(self) -> None:
        given = await InMemory().output(doubling(), "each", {"numbers": [3, 1, 2]})
        assert given == {
            "items": [
                {"n": 3, "d": 6, "at": 0},
                {"n": 1, "d": 2, "at": 1},
                {"n": 2, "d": 4, "at": 2},
            ],
            "errors": [],
        }

    async def test_no_items(self) -> None:
        given = await InMemory().output(doubling(), "each", {"numbers": []})
        assert given == {"items": [], "errors": []}

    async def test_an_item_that_fails_fails_the_loop_and_is_named(self) -> None:
        done = await InMemory().run(doubling(), {"numbers": [1, 13]})
        assert not done.outputs
        assert str(done.failures["each"]).startswith("each[1].twice: ")
        assert "unlucky" in str(done.failures["each"])

    async def test_an_item_that_fails_may_be_told_instead(self) -> None:
        given = await InMemory().output(
            doubling(onItemError="skip"), "each", {"numbers": [1, 13, 2]}
        )
        assert isinstance(given, dict)
        assert given["items"] == [{"n": 1, "d": 2, "at": 0}, {"n": 2, "d": 4, "at": 2}]
        (error,) = cast("list[dict[str, object]]", given["errors"])
        assert error["index"] == 1
        assert "unlucky" in str(error["message"])

    async def test_too_many_items(self) -> None:
        done = await InMemory().run(doubling(maxItems=2), {"numbers": [1, 2, 3]})
        assert "3 items; its `maxItems` is 2" in str(done.failures["each"])
        assert not done.failures["each"].retryable

    async def test_what_an_earlier_attempt_finished_is_not_run_again(self) -> None:
        bench = InMemory()
        done = await bench.run(doubling(concurrency=1), {"numbers": [1, 2, 13]})
        assert done.failures
        asked = len(bench.code.requests)
        await bench.run(doubling(concurrency=1), {"numbers": [1, 2, 13]})
        assert [r.inputs["n"] for r in bench.code.requests[asked:]] == [13]

    async def test_usage_of_its_steps_is_its_own_and_told_once(self) -> None:
        nodes: JsonObject = {
            "each": {
                "kind": "logic.loop",
                "with": {
                    "over": ["a", "b"],
                    "body": {
                        "nodes": {"ask": {"kind": "ai.chat", "with": {"prompt": "{{item}}"}}},
                        "outputs": {"said": "{{ask.output.text}}"},
                    },
                },
            }
        }
        bench = InMemory(model=SmallModel("yes"))
        done = await bench.run(minimal(nodes))
        assert sum(u.tokens_in for u in done.usage) == 24
        again = await bench.run(minimal(nodes))
        assert len(bench.model.requests) == 2
        assert sum(u.tokens_in for u in again.usage) == 24


def counting(**config: JsonValue) -> JsonObject:
    body: JsonObject = {
        "nodes": {
            "add": {
                "kind": "code.python",
                "with": {
                    "code": "m = n + 1",
                    "inputs": {"n": "{{state.n}}"},
                    "outputs": {"m": {"type": "integer"}},
                },
            }
        }
    }
    with_: JsonObject = {
        "while": "{{state.n < 3}}",
        "state": {"n": 0},
        "next": {"n": "{{add.output.m}}"},
        "maxIterations": 5,
        "body": body,
        **config,
    }
    return minimal({"count": {"kind": "logic.loop", "with": with_}})


class TestWhile:
    async def test_state_goes_on_until_the_condition_fails(self) -> None:
        given = await InMemory().output(counting(), "count")
        assert given == {"state": {"n": 3}, "iterations": 3}

    async def test_it_ends_at_its_limit(self) -> None:
        done = await InMemory().run(counting(maxIterations=2))
        assert "not done after 2 rounds" in str(done.failures["count"])

    async def test_a_condition_that_never_held(self) -> None:
        given = await InMemory().output(counting(state={"n": 9}), "count")
        assert given == {"state": {"n": 9}, "iterations": 0}


class TestParallel:
    NODES: ClassVar[JsonObject] = {
        "fork": {
            "kind": "logic.parallel",
            "with": {
                "branches": {
                    "long": {
                        "nodes": {
                            "a": {
                                "kind": "code.python",
                                "with": {"code": "x = 1", "outputs": {"x": {"type": "integer"}}},
                            }
                        },
                        "outputs": {"x": "{{a.output.x}}"},
                    },
                    "short": {
                        "nodes": {"b": {"kind": "code.python", "with": {"code": "1 / 0"}}},
                        "outputs": {},
                    },
                }
            },
        }
    }

    async def test_a_branch_that_fails(self) -> None:
        done = await InMemory().run(minimal(self.NODES))
        assert str(done.failures["fork"]).startswith("fork.short.b: ")

    async def test_a_branch_that_may_fail(self) -> None:
        nodes = minimal(self.NODES)
        fork: JsonValue = self.NODES["fork"]
        assert isinstance(fork, dict)
        assert isinstance(fork["with"], dict)
        told: JsonObject = {**fork, "with": {**fork["with"], "onBranchError": "skip"}}
        nodes = minimal({"fork": told})
        given = await InMemory().output(nodes, "fork")
        assert isinstance(given, dict)
        assert given["long"] == {"x": 1}
        assert "short" not in given
        assert "division" in str(given["errors"])


class Recorder(MemoryJournal):
    """Keeps the paths under which steps were kept."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []

    async def put(self, path: str, output: StepOutput) -> None:
        self.paths.append(path)
        await super().put(path, output)


async def test_loops_in_loops_have_paths_of_their_own() -> None:
    inner: JsonObject = {
        "kind": "logic.loop",
        "with": {
            "over": "{{row}}",
            "as": "cell",
            "body": {
                "nodes": {"ask": {"kind": "ai.chat", "with": {"prompt": "{{cell}} of {{row}}"}}},
                "outputs": {"said": "{{ask.output.text}}"},
            },
        },
    }
    outer: JsonObject = {
        "rows": {
            "kind": "logic.loop",
            "with": {
                "over": [["a"], ["b"]],
                "as": "row",
                "body": {"nodes": {"cells": inner}, "outputs": {"cells": "{{cells.output.items}}"}},
            },
        }
    }
    journal = Recorder()
    await InMemory(journal=journal).output(minimal(outer), "rows")
    assert sorted(journal.paths) == [
        *("rows", "rows[0].cells", "rows[0].cells[0].ask"),
        *("rows[1].cells", "rows[1].cells[0].ask"),
    ]


class TestProblems:
    @pytest.mark.parametrize(
        ("config", "code", "told"),
        [
            ({"over": None}, "AF112", "a list or a table"),
            ({"body": {"nodes": {"x": {"kind": "ai.chta", "with": {}}}}}, "AF301", "ai.chta"),
            ({"as": "input"}, "AF316", "'input'"),
            ({"as": "each"}, "AF316", "'each'"),
            (
                {"body": {"nodes": {"each": {"kind": "ai.chat", "with": {"prompt": "x"}}}}},
                "AF315",
                "'each'",
            ),
            (
                {
                    "body": {
                        "nodes": {"x": {"kind": "ai.chat", "with": {"prompt": "{{item.name}}"}}}
                    }
                },
                "AF203",
                "name",
            ),
            (
                {"body": {"nodes": {"x": {"kind": "ai.chat", "with": {"prompt": "{{itm}}"}}}}},
                "AF202",
                "itm",
            ),
        ],
    )
    def test_each_is_told_in_its_place(self, config: JsonObject, code: str, told: str) -> None:
        found = problems(doubling(**config))
        wanted = [d for d in found if d.code == code]
        assert wanted, found
        assert told in str(wanted[0])
        assert wanted[0].pointer.startswith("/spec/nodes/each")

    def test_a_while_without_a_limit(self) -> None:
        document = cast("Any", counting())
        del document["spec"]["nodes"]["count"]["with"]["maxIterations"]
        (found,) = problems(document)
        assert "maxIterations" in found.message

    def test_a_condition_of_another_type(self) -> None:
        (found,) = problems(counting(**{"while": "{{state.n + 1}}"}))
        assert (found.code, found.pointer) == ("AF206", "/spec/nodes/count/with/while")

    def test_what_a_body_reads_outside_is_waited_for(self) -> None:
        document = cast("Any", doubling())
        nodes = document["spec"]["nodes"]
        nodes["first"] = {"kind": "ai.chat", "with": {"prompt": "hi"}}
        nodes["each"]["with"]["body"]["outputs"]["t"] = "{{first.output.text}}"
        edges = plan(document).step("each").edges
        assert [e.source for e in edges] == ["first"]

    def test_a_prompt_in_a_body_changes_the_loop_and_what_follows(self) -> None:
        before, after = doubling(), cast("Any", doubling())
        body = after["spec"]["nodes"]["each"]["with"]["body"]
        body["nodes"]["twice"]["with"]["code"] += "\nd = d"
        one, other = plan(before).step("each"), plan(after).step("each")
        assert one.code_version != other.code_version
