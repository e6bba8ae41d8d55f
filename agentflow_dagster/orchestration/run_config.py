"""The run config of a whole run: what the launchpad's fields come to.

Apart from those (`input_config.py`), so that who only launches need not import Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.orchestration.names import dagster_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster import DagsterRun

    from agentflow_dagster.spec.values import JsonObject


def run_config(agent: str, input_: JsonObject) -> dict[str, object]:
    """The run config that starts an agent with an input."""
    return {"ops": {agent: {"config": {"input": input_}}}}


def given_config(run: DagsterRun, agent: str) -> Mapping[str, object]:
    """What a run of an agent was started with: `input` or `source_run`, or nothing."""
    known = dict(run.run_config)
    for name in ("ops", dagster_name(agent), "config"):
        known = cast("dict[str, object]", known.get(name) or {})
    return known
