"""The engine is killed after a step's effect and before its commit: its node says what follows."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.faults.engine_process import Death
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.faults.ledger import Ledger
    from tests.faults.rig import Rig

pytestmark = pytest.mark.fault

PAYS = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: payer}
spec:
  env: [LEDGER]
  nodes:
    pay:
      kind: tool.http
      onUnknown: POLICY
      with: {method: POST, url: "{{env.LEDGER}}/debit", json: {n: 0}}
"""


@pytest.mark.parametrize(
    ("policy", "status", "calls"),
    [("retry", "SUCCESS", 2), ("fail", "FAILURE", 1), ("review", "SUSPENDED", 1)],
)
def test_it_is_followed(rig: Rig, ledger: Ledger, policy: str, status: str, calls: int) -> None:
    rig.bench.serve(PAYS.replace("POLICY", policy))
    (event,) = rig.events("payer", [{}])
    marks = 0 if policy == "retry" else 1  # That the step has begun is committed before its effect.
    engine = rig.start(Death("before", "output", 1 + marks))
    assert rig.begin(event).done
    engine.join(60)
    assert engine.exitcode == -signal.SIGKILL
    assert ledger.calls("/debit").total() == 1
    rig.start()
    run_id = str(rig.run_of(event))
    wait_until(lambda: rig.bench.ran(run_id).status == status)
    assert ledger.calls("/debit").total() == calls
    assert len(ledger.calls("/debit")) == 1
