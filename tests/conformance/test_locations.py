"""Which code location an agent goes to, as every implementation of the version store decides it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.conformance.test_stores import digest, put

if TYPE_CHECKING:
    from agentflow_dagster.ports.stores import VersionStore
    from agentflow_dagster.stores import Stores


@pytest.fixture
def versions(stores: Stores) -> VersionStore:
    return stores.versions


def deploy(versions: VersionStore, agent: str, name: str | None = None, *, room: int = 2) -> int:
    put(versions, agent, name or agent)
    return versions.deploy("local", digest(name or agent), room=room)[0].location


def test_a_new_agent_goes_to_the_first_with_room(versions: VersionStore) -> None:
    assert [deploy(versions, agent) for agent in "abcde"] == [1, 1, 2, 2, 3]
    assert {d.version.agent: d.location for d in versions.live("local")} == {
        "a": 1,
        "b": 1,
        "c": 2,
        "d": 2,
        "e": 3,
    }


def test_it_stays_where_it_is(versions: VersionStore) -> None:
    assert [deploy(versions, agent) for agent in "abc"] == [1, 1, 2]
    versions.undeploy("local", "a")
    assert deploy(versions, "c", "f0") == 2
    assert deploy(versions, "b", "f1", room=1) == 1


def test_what_was_taken_out_leaves_its_place(versions: VersionStore) -> None:
    assert [deploy(versions, agent) for agent in "abc"] == [1, 1, 2]
    versions.undeploy("local", "a")
    assert deploy(versions, "d") == 1
    assert deploy(versions, "a") == 2


def test_environments_count_for_themselves(versions: VersionStore) -> None:
    assert [deploy(versions, agent) for agent in "abc"] == [1, 1, 2]
    assert versions.deploy("staging", digest("c"), room=2)[0].location == 1
    assert versions.locations("staging") == {1: 1}
    assert versions.locations("local") == {1: 2, 2: 1}
    versions.undeploy("staging", "c")
    assert versions.location_of("staging", "c") is None
    assert versions.location_of("local", "c") == 2


def test_one_that_has_no_agents_left_is_remembered(versions: VersionStore) -> None:
    assert versions.locations("local") == {}
    for agent in "abc":
        deploy(versions, agent)
    versions.undeploy("local", "c")
    assert versions.locations("local") == {1: 2, 2: 0}


def test_many_at_once_are_not_too_many(versions: VersionStore) -> None:
    agents = [f"a{number}" for number in range(9)]
    for agent in agents:
        put(versions, agent, agent.replace("a", "f"))
    with ThreadPoolExecutor(9) as threads:
        found = threads.map(
            lambda agent: versions.deploy("local", digest(agent.replace("a", "f")), room=3), agents
        )
        places = sorted(one.location for one, _ in found)
    assert places == [1, 1, 1, 2, 2, 2, 3, 3, 3]
