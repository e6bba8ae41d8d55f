"""The run config of a whole run: what the launchpad's fields come to.

Apart from those (`input_config.py`), so that who only launches need not import Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject


def run_config(agent: str, input_: JsonObject) -> dict[str, object]:
    """The run config that starts an agent with an input."""
    return {"ops": {agent: {"config": {"input": input_}}}}
