"""What every implementation of the store ports must do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentflow_dagster.errors import StoreError
from agentflow_dagster.ports.stores import GenerationId, StepOutput, VersionHash
from agentflow_dagster.spec.values import BYTES, Part, pack, unpack
from tests.support.at_once import at_once

if TYPE_CHECKING:
    from agentflow_dagster.ports.stores import (
        StepStore,
        Version,
        VersionStore,
    )
    from agentflow_dagster.spec.values import JsonObject, Value
    from agentflow_dagster.stores import Stores

INLINE = 64 * 1024
T = TypeVar("T")


@pytest.fixture(params=["postgres"])
def implementation(request: pytest.FixtureRequest, stores: Stores) -> Stores:
    return {"postgres": stores}[request.param]


@pytest.fixture
def versions(implementation: Stores) -> VersionStore:
    return implementation.versions


@pytest.fixture
def steps(implementation: Stores) -> StepStore:
    return implementation.steps


def digest(text: str) -> VersionHash:
    return VersionHash(text.rjust(64, "0"))


def put(versions: VersionStore, agent: str, name: str) -> Version:
    return versions.put(agent, digest(name), {"metadata": {"name": agent}}, {"file": name})


class TestVersions:
    def test_put_and_get(self, versions: VersionStore) -> None:
        document: JsonObject = {"z": 1, "a": {"y": "ü", "b": [1.5, None, True]}}
        stored = versions.put("triage", digest("a"), document, {"file": "a.yaml"})
        assert stored == versions.get(digest("a"))
        assert (stored.agent, stored.number) == ("triage", 0)
        assert stored.document == document
        assert stored.source == {"file": "a.yaml"}
        assert stored.created_at.tzinfo is not None

    def test_keys_keep_the_order_of_the_author(self, versions: VersionStore) -> None:
        versions.put("triage", digest("a"), {"z": 1, "a": {"y": 1, "b": 2}}, {})
        stored = versions.get(digest("a"))
        assert stored
        assert list(stored.document) == ["z", "a"]
        assert list(stored.document["a"]) == ["y", "b"]  # type: ignore[arg-type]

    def test_same_hash_again_returns_the_stored_one(self, versions: VersionStore) -> None:
        first = put(versions, "triage", "a")
        assert versions.put("triage", digest("a"), {"other": True}, {}) == first

    def test_unknown_is_none(self, versions: VersionStore) -> None:
        assert versions.get(digest("a")) is None

    def test_deploy_gives_numbers_in_order_of_first_deployment(
        self, versions: VersionStore
    ) -> None:
        for name in ("a", "b", "c"):
            put(versions, "triage", name)
        put(versions, "other", "d")
        numbers = [
            versions.deploy("production", digest(name))[0].version.number
            for name in ("b", "a", "b", "c", "d")
        ]
        assert numbers == [1, 2, 1, 3, 1]

    def test_deploy_of_what_is_live_changes_nothing(self, versions: VersionStore) -> None:
        put(versions, "triage", "a")
        first, changed = versions.deploy("production", digest("a"))
        assert changed
        assert versions.deploy("production", digest("a")) == (first, False)
        assert list(versions.history("production", "triage")) == [first]

    def test_a_revision_for_every_change(self, versions: VersionStore) -> None:
        put(versions, "triage", "a")
        assert versions.revision("production") == 0
        versions.deploy("production", digest("a"))
        versions.deploy("production", digest("a"))
        assert versions.revision("production") == 1
        versions.undeploy("production", "triage")
        assert (versions.revision("production"), versions.revision("staging")) == (2, 0)

    def test_number_is_kept_in_another_environment(self, versions: VersionStore) -> None:
        put(versions, "triage", "a")
        put(versions, "triage", "b")
        versions.deploy("production", digest("b"))
        versions.deploy("production", digest("a"))
        staged, changed = versions.deploy("staging", digest("a"))
        assert changed
        assert staged.version.number == 2
        assert staged.environment == "staging"

    def test_deploy_of_what_is_not_stored_is_refused(self, versions: VersionStore) -> None:
        with pytest.raises(StoreError, match="no stored version"):
            versions.deploy("production", digest("a"))

    def test_live_is_the_newest_of_each_agent_by_name(self, versions: VersionStore) -> None:
        for agent, name in (("b", "1"), ("Z", "2"), ("b", "3"), ("a", "4")):
            put(versions, agent, name)
            versions.deploy("production", digest(name))
        put(versions, "c", "5")
        versions.deploy("staging", digest("5"))
        live = versions.live("production")
        assert [(each.version.agent, each.version.hash) for each in live] == [
            ("Z", digest("2")),
            ("a", digest("4")),
            ("b", digest("3")),
        ]
        assert versions.live("nowhere") == []

    def test_history_is_newest_first_with_rollbacks(self, versions: VersionStore) -> None:
        for name in ("a", "b"):
            put(versions, "triage", name)
        for name in ("a", "b", "a"):
            versions.deploy("production", digest(name))
        history = versions.history("production", "triage")
        assert [each.version.hash for each in history] == [digest(n) for n in ("a", "b", "a")]
        moments = [each.deployed_at for each in history]
        assert moments == sorted(moments, reverse=True)
        assert [each.version.number for each in history] == [1, 2, 1]

    def test_deploys_at_once_leave_no_gap_in_the_numbers(self, versions: VersionStore) -> None:
        names = [str(number) for number in range(12)]
        for name in names:
            put(versions, "triage", name)
        at_once(lambda number: versions.deploy("production", digest(names[number])), 12)
        numbers = [each.version.number for each in versions.history("production", "triage")]
        assert numbers == list(range(12, 0, -1))

    def test_same_deploy_at_once_changes_once(self, versions: VersionStore) -> None:
        put(versions, "triage", "a")
        results = at_once(lambda _: versions.deploy("production", digest("a"))[1], 8)
        assert sorted(results) == [False] * 7 + [True]

    def test_pin_is_the_same_for_the_same_set(self, versions: VersionStore) -> None:
        a, b = put(versions, "alpha", "a"), put(versions, "beta", "b")
        id_ = versions.pin({"beta": b.hash, "alpha": a.hash})
        assert versions.pin({"alpha": a.hash, "beta": b.hash}) == id_
        assert versions.pin({"alpha": a.hash}) != id_
        assert versions.pinned(id_) == [a, b]
        assert list(versions.members(id_).items()) == [(a.agent, a.hash), (b.agent, b.hash)]

    def test_empty_set_can_be_pinned(self, versions: VersionStore) -> None:
        assert versions.pinned(versions.pin({})) == []

    def test_pin_of_what_is_not_stored_is_refused(self, versions: VersionStore) -> None:
        with pytest.raises(StoreError, match="no stored version"):
            versions.pin({"alpha": digest("a")})

    def test_unknown_set_is_refused(self, versions: VersionStore) -> None:
        with pytest.raises(StoreError, match="no set of versions"):
            versions.pinned(GenerationId("0" * 64))


TEXT = st.text(st.characters(exclude_categories=[]) | st.sampled_from("\0\ud800\udfff%':\\\"")).map(
    # Two lone halves that make a character come back as that character.
    lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
)
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | TEXT
    | st.binary(max_size=20).map(lambda data: Part(BYTES, data, {"bytes": len(data)}))
)
KEYS = TEXT | st.sampled_from(["$part", "$scalar", "$literal"])
VALUES = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)


class TestSteps:
    def test_put_and_get(self, steps: StepStore) -> None:
        output = StepOutput("result", {"answer": [1, 2.5, None]}, {"tokens_in": 3})
        steps.put("run", "draft", output)
        assert steps.get("run", "draft") == output

    @given(value=VALUES)
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_every_value_comes_back(self, steps: StepStore, value: Value) -> None:
        steps.put("run", "draft", StepOutput("result", value))
        stored = steps.get("run", "draft")
        assert stored
        assert stored.value == value
        assert repr(stored.value) == repr(value)  # 1 and 1.0 and True are equal, and not the same

    @pytest.mark.parametrize("number", [math.inf, -math.inf])
    def test_infinities_come_back(self, steps: StepStore, number: float) -> None:
        steps.put("run", "draft", StepOutput("result", {"x": number}))
        stored = steps.get("run", "draft")
        assert stored
        assert stored.value == {"x": number}

    def test_not_a_number_comes_back(self, steps: StepStore) -> None:
        steps.put("run", "draft", StepOutput("result", math.nan))
        stored = steps.get("run", "draft")
        assert stored
        assert isinstance(stored.value, float)
        assert math.isnan(stored.value)

    def test_keys_keep_their_order(self, steps: StepStore) -> None:
        steps.put("run", "draft", StepOutput("result", {"z": 1, "a": 2, "m": 3}))
        stored = steps.get("run", "draft")
        assert stored
        assert list(stored.value) == ["z", "a", "m"]  # type: ignore[arg-type]

    def test_table_and_bytes_come_back(self, steps: StepStore) -> None:
        frame = pd.DataFrame({"name": ["a", "b"], "count": [1, 2]})
        value = pack({"tables": [frame], "raw": b"\0\xff"})
        steps.put("run", "draft", StepOutput("result", value))
        stored = steps.get("run", "draft")
        assert stored
        opened = cast("dict[str, Any]", unpack(stored.value))
        assert opened["raw"] == b"\0\xff"
        pd.testing.assert_frame_equal(opened["tables"][0], frame)

    @pytest.mark.parametrize("size", [0, INLINE - 2, INLINE - 1, INLINE, 5_000_000])
    def test_text_of_any_size_comes_back(self, steps: StepStore, size: int) -> None:
        steps.put("run", "draft", StepOutput("result", "x" * size))
        stored = steps.get("run", "draft")
        assert stored
        assert stored.value == "x" * size

    @pytest.mark.parametrize("size", [0, INLINE, INLINE + 1, 5_000_000])
    def test_bytes_of_any_size_come_back(self, steps: StepStore, size: int) -> None:
        value: Value = {"part": Part(BYTES, b"\x07" * size, {"bytes": size})}
        steps.put("run", "draft", StepOutput("result", value))
        stored = steps.get("run", "draft")
        assert stored
        assert stored.value == value

    @pytest.mark.parametrize("first", [{"p": Part(BYTES, b"one")}, "x" * 100_000, 1])
    @pytest.mark.parametrize("second", [{"p": Part(BYTES, b"two")}, "y" * 100_000, None])
    def test_second_attempt_replaces_the_first(
        self, steps: StepStore, first: Value, second: Value
    ) -> None:
        steps.put("run", "draft", StepOutput("error", first, {"attempts": 1}))
        steps.put("run", "draft", StepOutput("result", second, {"attempts": 2}))
        assert steps.get("run", "draft") == StepOutput("result", second, {"attempts": 2})

    def test_attempts_at_once_leave_one_whole_output(self, steps: StepStore) -> None:
        def attempt(number: int) -> None:
            parts: list[Value] = [Part(BYTES, bytes([number, part])) for part in range(3)]
            steps.put("run", "draft", StepOutput("result", {"number": number, "parts": parts}))

        at_once(attempt, 8)
        stored = steps.get("run", "draft")
        assert stored
        assert isinstance(stored.value, dict)
        number = stored.value["number"]
        assert isinstance(number, int)
        assert stored.value["parts"] == [Part(BYTES, bytes([number, part])) for part in range(3)]

    def test_unknown_is_none(self, steps: StepStore) -> None:
        assert steps.get("run", "draft") is None
        assert steps.all("run") == {}

    def test_all_are_the_steps_of_one_run(self, steps: StepStore) -> None:
        outputs = {
            "a": StepOutput("result", {"p": Part(BYTES, b"a"), "q": Part(BYTES, b"b")}),
            "b": StepOutput("bug", None, {"n": 1}),
        }
        for node, output in outputs.items():
            steps.put("run", node, output)
        steps.put("another", "c", StepOutput("result", 1))
        assert steps.all("run") == outputs

    def test_newest_run_with_every_node(self, steps: StepStore) -> None:
        for run, node in (("old", "a"), ("old", "b"), ("mid", "a"), ("mid", "b"), ("new", "a")):
            steps.put(run, node, StepOutput("result", 1))
        assert steps.newest_run_with(["new", "mid", "old"], ["a", "b"]) == "mid"
        assert steps.newest_run_with(["new", "mid", "old"], ["a"]) == "new"
        assert steps.newest_run_with(["new", "mid"], ["a", "a"]) == "new"
        assert steps.newest_run_with(["new", "mid"], ["c"]) is None
        assert steps.newest_run_with([], ["a"]) is None
        assert steps.newest_run_with(["new"], []) == "new"
