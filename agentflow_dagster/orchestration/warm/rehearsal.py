"""An agent that the warm parent compiles and throws away: what is imported for that, and made once
(validators, detectors, the types of expressions), its children find."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dagster import Definitions
from dagster._core.execution.api import create_execution_plan

from agentflow_dagster.nodes import builtin_kinds, installed_plugins
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.location import compile_version
from agentflow_dagster.orchestration.run_config import run_config
from agentflow_dagster.ports.stores import Version, VersionHash

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

_NAME = "rehearsal"
_DOCUMENT: JsonObject = {
    "apiVersion": "agentflow.io/v1",
    "kind": "Agent",
    "metadata": {"name": _NAME},
    "spec": {
        "inputs": {
            "type": "object",
            "required": ["body"],
            "properties": {"body": {"type": "string"}, "about": {"type": "string", "default": ""}},
        },
        "triggers": {
            "calls": {"webhook": {"path": "/rehearsal"}, "input": {"body": "{{event.body.text}}"}},
            "hours": {"schedule": {"cron": "0 * * * *"}, "input": {"body": "https://example.com"}},
        },
        "nodes": {
            "sort": {
                "kind": "ai.classify",
                "with": {"text": "{{input.body}}", "labels": {"bug": "broken", "other": "else"}},
            },
            "fork": {
                "kind": "logic.switch",
                "with": {"cases": {"bug": "{{sort.output.label == 'bug'}}"}},
            },
            "note": {
                "kind": "transform.format",
                "after": ["fork.bug"],
                "with": {"template": "{{ it }}", "values": {"it": "{{input.about}}"}},
            },
        },
    },
}


def rehearse() -> None:
    """Compiles the agent, and plans a run of it; looks which plugins there are."""
    installed_plugins()
    version = Version(VersionHash("0" * 64), _NAME, 0, _DOCUMENT, {}, datetime.now(UTC))
    compiled = compile_version(version, builtin_kinds())
    resources = dict.fromkeys(names.RUN_RESOURCES, object())
    whole = Definitions(assets=compiled.assets, jobs=[compiled.job], resources=resources)
    job = whole.get_repository_def().get_job(names.job_name(_NAME))
    create_execution_plan(job, run_config(names.dagster_name(_NAME), {"body": ""}))
