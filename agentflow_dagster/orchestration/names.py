"""What things are called in Dagster, and the tags and resource keys that AgentFlow uses there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentflow_dagster.graph.plan import Plan

AGENT_TAG = "agentflow/agent"
VERSION_TAG = "agentflow/version"
TRIGGER_TAG = "agentflow/trigger"
SOURCE_RUN_TAG = "agentflow/source_run"
HANDLED_ERROR_TAG = "agentflow/handled_error"
PARTIAL_TAG = "agentflow/partial"

RUN_RESOURCES = frozenset({"model", "code", "secrets", "stores"})
"""Resources that every step asks for; `resources/` at the project's root has them."""

LOCATION = "agentflow"
"""The code location's name in the workspace."""


def dagster_name(agent: str) -> str:
    """An agent's name as Dagster allows it: `support-triage` is `support_triage`."""
    return agent.replace("-", "_")


def job_name(agent: str) -> str:
    """The job that runs a whole agent."""
    return f"{dagster_name(agent)}_job"


def sensor_name(agent: str) -> str:
    """The sensor that starts runs for the agent's inbox."""
    return f"{dagster_name(agent)}__events"


def schedule_name(agent: str, trigger: str) -> str:
    """The schedule of one trigger."""
    return f"{dagster_name(agent)}__{trigger}"


def pool_name(agent: str) -> str:
    """The pool whose limit is the agent's `maxConcurrentExecutions`."""
    return f"agentflow_{dagster_name(agent)}"


def run_tags(plan: Plan, version: str) -> dict[str, str]:
    """Tags of every run of an agent: who it is, which version, and its labels."""
    labels = {f"agentflow/{_tag_part(k)}": v for k, v in plan.agent.metadata.labels.items()}
    return {**labels, AGENT_TAG: plan.agent.name, VERSION_TAG: version}


def owners(plan: Plan) -> list[str]:
    """Owners as Dagster writes them: the label `team`."""
    team = plan.agent.metadata.labels.get("team", "")
    return [f"team:{team}"] if re.fullmatch(r"[A-Za-z0-9_-]+", team) else []


def _tag_part(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", label)[:50]
