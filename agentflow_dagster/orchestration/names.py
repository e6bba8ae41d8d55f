"""What things are called in Dagster, and the tags and resource keys that AgentFlow uses there."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from agentflow_dagster.graph.plan import Plan, PlanStep

AGENT_TAG = "agentflow/agent"
VERSION_TAG = "agentflow/version"
TRIGGER_TAG = "agentflow/trigger"
SOURCE_RUN_TAG = "agentflow/source_run"
HANDLED_ERROR_TAG = "agentflow/handled_error"
PARTIAL_TAG = "agentflow/partial"
PARENT_RUN_TAG = "agentflow/parent_run"
ANCESTORS_TAG = "agentflow/ancestors"
"""The runs above the parent, the nearest first."""
ALERT_TAG = "agentflow/budget_alert"
"""Alerts of budgets that a call of the run made due."""
SPENT_TAG = "agentflow/"
"""What goes before the names of a run's figures: `agentflow/cost_usd`."""
PARENT_NODE_TAG = "agentflow/parent_node"
_PRIORITY_TAG = "dagster/priority"
_HIDDEN = ".dagster/agentflow_"
"""Dagster's UI leaves tags out that begin with `.dagster/`: these mean nothing to people."""
CALL_TAG = f"{_HIDDEN}call"
"""The idempotency key of the step that asked for a run."""
CHAIN_TAG = f"{_HIDDEN}chain"
"""The agents above a run that another run started, the first one first."""
LLM_TAG = f"{_HIDDEN}llm"
"""Model settings, as JSON, that go before the agent's own defaults."""
MEMORY_TAG = f"{_HIDDEN}memory_bytes"
"""Most memory that any step of a run may take, whatever it says itself."""
WATCHED_TAG = f"{_HIDDEN}watched"
"""On a run that somebody watches from its beginning: what its models say is told meanwhile."""
RETRY_OF_TAG = f"{_HIDDEN}retry_of"
"""On a run that was made because another failed: what it settles (`owed_runs.py`)."""
TESTED_TAG = "agentflow/tests_of"
"""On runs of tests: the agent. They are none of its runs, so that they do not carry `AGENT_TAG`."""
LANE_TAG = "agentflow/lane"
"""Where a run is to be carried out (`lanes.Lane`), where that is not for the launcher to say."""
ENGINE_TAG = f"{_HIDDEN}engine"
"""On the runs of agents that the engine can carry out; which of these it takes, `lanes.py` says."""
MACHINE_TAG = f"{_HIDDEN}machine"
"""Where a run's process lives."""
KIND_TAG = "agentflow/kind"
"""On assets and ops: the kind of their node. Every op of an agent has it, and no other."""
LABEL_PREFIX = "label/"
"""Labels stand apart from our own tags, so that none can pass for one of them."""

RUN_RESOURCES = frozenset({"model", "code", "secrets", "stores"})
"""Resources that every step asks for; `resources/` at the project's root has them."""

INPUT = "$input"
"""The node name under which a run's own input is stored."""

START = "_start"
"""The step that is there in every run, partial ones too; no author's node is called so."""

NEWEST = "newest"
"""What config says instead of a source run's id."""

LOCATION = "agentflow"
"""The first code location's name in the workspace; Dagster's own commands find no other."""

LOCATION_VARIABLE = "AGENTFLOW_LOCATION"
"""The code location that a process is of; without it, as under `dagster dev`, it is all."""

PUBLIC_URL_VARIABLE = "AGENTFLOW_PUBLIC_URL"
"""Where others reach the front door; the platform says where it listens unless it is set."""

FILES_LOCATION = f"{LOCATION}-files"
"""The code location of working files, where they do not share the first."""

_KEPT_BY_DAGSTER = frozenset(
    {
        *keyword.kwlist,
        *("context", "conf", "config", "meta", "arg_dict", "dict", "input_arg_dict"),
        *("output_arg_dict", "int", "str", "float", "bool", "input", "output", "type"),
    }
)


def allowed(name: str) -> str:
    """A name of an author's as Dagster allows it: a word that it keeps gets `_` before it, which no
    author's name begins with."""
    return f"_{name}" if name in _KEPT_BY_DAGSTER else name


def dagster_name(agent: str) -> str:
    """An agent's name as Dagster allows it: `support-triage` is `support_triage`."""
    return allowed(agent.replace("-", "_"))


def step_key(agent: str, node: str) -> str:
    """The key of a node's step in the agent's runs."""
    return f"{dagster_name(agent)}.{allowed(node)}"


def job_name(agent: str) -> str:
    """The job that runs a whole agent."""
    return f"{dagster_name(agent)}_job"


def tests_job_name(agent: str) -> str:
    """The job that runs the tests of an agent's document."""
    return f"{dagster_name(agent)}__tests"


def sensor_name(agent: str) -> str:
    """The sensor that starts runs for the agent's inbox."""
    return f"{dagster_name(agent)}__{_SENSOR}"


def schedule_name(agent: str, trigger: str) -> str:
    """The schedule of one trigger; Dagster wants schedules and sensors named apart."""
    return f"{dagster_name(agent)}__{f'_{trigger}' if trigger == _SENSOR else trigger}"


def location_name(number: int) -> str:
    """The code location of that number."""
    return LOCATION if number == 1 else f"{LOCATION}-{number}"


def pool_name(agent: str) -> str:
    """The pool whose limit is the agent's `maxConcurrentExecutions`."""
    return f"agentflow_{dagster_name(agent)}"


def source_run_tag(agent: str, *, alone: bool) -> str:
    """The tag that names the source run of an agent, in a run of it alone or of several."""
    return SOURCE_RUN_TAG if alone else f"{SOURCE_RUN_TAG}.{dagster_name(agent)}"


def run_tags(plan: Plan, version: str) -> dict[str, str]:
    """Tags of every run of an agent: who it is, which version, its labels, and its priority, by
    which Dagster's queue goes."""
    labels = {_label(name): value for name, value in plan.agent.metadata.labels.items()}
    priority = plan.agent.spec.config.priority
    queued = {_PRIORITY_TAG: str(priority)} if priority else {}
    return {**labels, **queued, AGENT_TAG: plan.agent.name, VERSION_TAG: version}


def names_in_order(plan: Plan, nodes: Container[str]) -> str:
    """Some of a plan's nodes as a run's tag names them: those that run at once end in any order."""
    return ",".join(step.name for step in plan.steps if step.name in nodes)


def asset_tags(plan: Plan, step: PlanStep) -> dict[str, str]:
    """Tags of an asset; Dagster takes fewer characters in their values than in a run's."""
    labels = {
        _label(name): _plain(value)[:_LONGEST] for name, value in plan.agent.metadata.labels.items()
    }
    return {**labels, "agentflow/node": step.name, KIND_TAG: step.node.kind}


def owners(plan: Plan) -> list[str]:
    """Owners as Dagster writes them: the label `team`."""
    team = plan.agent.metadata.labels.get("team", "").strip()
    return [f"team:{team}"] if team else []


_SENSOR = "events"
_LONGEST = 63


def _label(name: str) -> str:
    return f"{LABEL_PREFIX}{_plain(name)[:_LONGEST] or '_'}"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)
