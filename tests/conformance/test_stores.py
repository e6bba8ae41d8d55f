"""What every implementation of the store ports must do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentflow_dagster.errors import StoreError
from agentflow_dagster.ports.stores import GenerationId, NewEvent, StepOutput, VersionHash
from agentflow_dagster.spec.values import BYTES, Part, pack, unpack
from tests.support.at_once import at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.ports.stores import (
        Inbox,
        InboxEvent,
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


@pytest.fixture
def inbox(implementation: Stores) -> Inbox:
    return implementation.inbox


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


class TestInbox:
    def test_add_and_get(self, inbox: Inbox) -> None:
        event: JsonObject = {"body": {"text": "nul \0 and half \ud800"}, "headers": {}}
        added, new = inbox.add("triage", "tickets", event)
        assert new
        assert added == inbox.get(added.id)
        assert added.event == event
        assert (added.agent, added.trigger) == ("triage", "tickets")
        assert (added.state, added.run_id) == ("pending", None)
        assert added.received_at.tzinfo is not None

    def test_unknown_is_none(self, inbox: Inbox) -> None:
        assert inbox.get(1) is None

    def test_same_key_returns_the_earlier_event(self, inbox: Inbox) -> None:
        first, _ = inbox.add("triage", "tickets", {"n": 1}, idempotency_key="k")
        inbox.settle({first.id: "run"})
        again, new = inbox.add("triage", "tickets", {"n": 2}, idempotency_key="k")
        assert not new
        assert again.id == first.id
        assert again.event == {"n": 1}
        assert again.run_id == "run"

    def test_key_is_of_one_agent_and_trigger(self, inbox: Inbox) -> None:
        for agent, trigger in (("triage", "a"), ("triage", "b"), ("other", "a")):
            assert inbox.add(agent, trigger, {}, idempotency_key="k")[1]

    def test_without_a_key_nothing_repeats(self, inbox: Inbox) -> None:
        first, second = (inbox.add("triage", "tickets", {})[0] for _ in range(2))
        assert first.id != second.id

    def test_same_key_at_once_is_accepted_once(self, inbox: Inbox) -> None:
        results = at_once(
            lambda number: inbox.add("triage", "tickets", {"n": number}, idempotency_key="k"), 8
        )
        assert sorted(new for _, new in results) == [False] * 7 + [True]
        accepted = next(event for event, new in results if new)
        assert all(event == accepted for event, _ in results)

    def test_a_group_is_added_in_its_order(self, inbox: Inbox) -> None:
        earlier, _ = inbox.add("triage", "tickets", {"n": 0}, idempotency_key="k")
        group = [
            NewEvent("triage", "tickets", {"n": 1}, "later"),
            NewEvent("triage", "tickets", {"n": 2}, "k"),
            NewEvent("other", "tickets", {"n": 3}),
            NewEvent("triage", "tickets", {"n": 4}, "later"),
            NewEvent("other", "tickets", {"n": 5}),
        ]
        added = inbox.add_all(group)
        assert [new for _, new in added] == [True, False, True, False, True]
        assert [event.event["n"] for event, _ in added] == [1, 0, 3, 1, 5]
        assert added[1][0] == earlier
        assert added[3][0] == added[0][0]
        assert [event for event, _ in added] == [inbox.get(event.id) for event, _ in added]
        assert [event.id for event in inbox.pending("other")] == [added[2][0].id, added[4][0].id]
        assert inbox.add_all([]) == []

    def test_groups_with_the_same_keys_at_once(self, inbox: Inbox) -> None:
        """In the opposite order, so that each has what the other wants."""
        keys = [f"{number}" for number in range(50)]

        def add(number: int) -> Sequence[tuple[InboxEvent, bool]]:
            ordered = keys if number % 2 else keys[::-1]
            return inbox.add_all([NewEvent("triage", "t", {"n": number}, key) for key in ordered])

        results = at_once(add, 8)
        assert sum(new for group in results for _, new in group) == len(keys)

    def test_a_group_is_added_whole_or_not_at_all(self, inbox: Inbox) -> None:
        with pytest.raises(StoreError):
            inbox.add_all([NewEvent("triage", "t", {}), NewEvent("triage", "t", {}, "k" * 501)])
        assert inbox.pending("triage") == []

    def test_pending_is_oldest_first_and_of_one_agent(self, inbox: Inbox) -> None:
        ids = [inbox.add("triage", "tickets", {"n": n})[0].id for n in range(4)]
        inbox.add("other", "tickets", {})
        assert [event.id for event in inbox.pending("triage")] == ids
        assert [event.id for event in inbox.pending("triage", limit=2)] == ids[:2]

    def test_settled_events_are_not_pending(self, inbox: Inbox) -> None:
        first, second = (inbox.add("triage", "tickets", {})[0] for _ in range(2))
        inbox.settle({first.id: "run"})
        inbox.settle({})
        assert [event.id for event in inbox.pending("triage")] == [second.id]
        settled = inbox.get(first.id)
        assert settled
        assert (settled.state, settled.run_id) == ("started", "run")

    def test_first_run_stays(self, inbox: Inbox) -> None:
        event, _ = inbox.add("triage", "tickets", {})
        inbox.settle({event.id: "run", event.id + 1_000: "no such event"})
        inbox.settle({event.id: "another"})
        settled = inbox.get(event.id)
        assert settled
        assert settled.run_id == "run"

    def test_rejected_events_are_not_pending(self, inbox: Inbox) -> None:
        event, _ = inbox.add("triage", "tickets", {}, idempotency_key="k")
        inbox.reject(event.id, "\0\ud800" + "no such agent " * 500)
        assert inbox.pending("triage") == []
        rejected, new = inbox.add("triage", "tickets", {}, idempotency_key="k")
        assert not new
        assert (rejected.id, rejected.state, rejected.run_id) == (event.id, "rejected", None)

    def test_event_with_a_run_cannot_be_rejected(self, inbox: Inbox) -> None:
        event, _ = inbox.add("triage", "tickets", {})
        inbox.settle({event.id: "run"})
        inbox.reject(event.id, "too late")
        settled = inbox.get(event.id)
        assert settled
        assert settled.state == "started"
