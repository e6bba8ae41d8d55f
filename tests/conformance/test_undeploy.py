"""Taking an agent out of an environment, as every implementation of the version store does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.test_stores import digest, put

if TYPE_CHECKING:
    from agentflow_dagster.ports.stores import VersionStore
    from agentflow_dagster.stores import Stores


@pytest.fixture
def versions(stores: Stores) -> VersionStore:
    return stores.versions


def test_undeploy_ends_what_is_live_and_keeps_the_rest(versions: VersionStore) -> None:
    for agent, name in (("triage", "a"), ("triage", "b"), ("other", "c")):
        put(versions, agent, name)
        versions.deploy("production", digest(name))
    versions.deploy("staging", digest("b"))
    assert versions.undeploy("production", "triage")
    assert [d.version.agent for d in versions.live("production")] == ["other"]
    assert [d.version.agent for d in versions.live("staging")] == ["triage"]
    assert [d.version.number for d in versions.history("production", "triage")] == [2, 1]
    assert versions.get(digest("b")) is not None


def test_undeploy_of_what_is_not_live_changes_nothing(versions: VersionStore) -> None:
    assert not versions.undeploy("production", "triage")
    put(versions, "triage", "a")
    versions.deploy("production", digest("a"))
    assert versions.undeploy("production", "triage")
    assert not versions.undeploy("production", "triage")


def test_deployed_again_it_goes_on_with_its_number(versions: VersionStore) -> None:
    put(versions, "triage", "a")
    first, _ = versions.deploy("production", digest("a"))
    versions.undeploy("production", "triage")
    again, changed = versions.deploy("production", digest("a"))
    assert changed
    assert again.version.number == first.version.number == 1
    assert [d.version.hash for d in versions.live("production")] == [digest("a")]
