"""The sample `order-contract`: its contract is asset checks, and a broken file books nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.conftest import Running

CHECKS = """query($key: AssetKeyInput!, $name: String!) {
  assetCheckExecutions(assetKey: $key, checkName: $name, limit: 9) {
    runId status
  }
}"""
NAMES = ("schema", "one_line_for_each_article", "quantities_that_can_be_shipped")


def test_a_contract_is_checked_and_blocks(running: Running) -> None:
    (plan,) = running.deploy("order_contract.agent.yaml")
    started = [running.launch(plan, {"file": f}) for f in ("orders.jsonl", "orders_broken.jsonl")]
    kept, broken = (running.finish(plan, run_id) for run_id in started)
    assert kept.outputs == {"booked": {"lines": 4, "pieces": 69, "value": 1673.0}}
    assert {node.name: node.status for node in broken.nodes} == {
        "orders": "SUCCESS",
        "contract": "FAILURE",
        "booked": "NOT_RUN",
    }
    client = running.platform.client
    for name in NAMES:
        variables = {"key": {"path": ["order_contract", "contract"]}, "name": name}
        asked = {"query": CHECKS, "variables": variables}
        answered = client.http.post(f"{client.url}/graphql", json=asked).json()
        assert {
            one["runId"]: one["status"] for one in answered["data"]["assetCheckExecutions"]
        } == {
            kept.run_id: "SUCCEEDED",
            broken.run_id: "FAILED",
        }
