"""An engine is stopped past its lease, and goes on: what it has is not so any more."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.faults.test_engine_dies import MANY, TRANSFER, assert_done_once

if TYPE_CHECKING:
    from tests.faults.ledger import Ledger
    from tests.faults.rig import Rig

pytestmark = pytest.mark.fault


@pytest.mark.parametrize("goes_on", ["at work", pytest.param("late", marks=pytest.mark.soak)])
def test_it_loses_its_place(rig: Rig, ledger: Ledger, goes_on: str) -> None:
    """The second engine has just begun to go on with its runs, or has ended them."""
    rig.bench.serve(TRANSFER)
    events = rig.events("transfer", [{"n": number} for number in range(MANY)])
    first = rig.start(lease_seconds=2)
    assert len(rig.begin_all(events)) == MANY
    rig.kill(first, signal.SIGSTOP)
    second = rig.start(lease_seconds=2)
    if goes_on == "late":
        rig.until_ended(MANY)
    rig.kill(first, signal.SIGCONT)
    first.join(60)
    assert first.exitcode is not None  # It found out, and ended.
    rig.until_ended(MANY)
    assert second.is_alive()
    assert_done_once(rig, ledger, events)
