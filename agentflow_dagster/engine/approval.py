"""Waits for a person to approve what data from outside would lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.waits import Asked
from agentflow_dagster.spec.values import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.graph.plan import PlanStep
    from agentflow_dagster.ports.waits import StepWaits
    from agentflow_dagster.spec.values import Value


async def approved(
    waits: StepWaits, path: str, step: PlanStep, filled: Mapping[str, Value]
) -> None:
    """Returns once a person has approved a step.

    Args:
        waits: Of the attempt; it takes secrets out of what is shown.
        path: The step.
        step: What is to be run.
        filled: Its config; all of it is shown, and what is approved is exactly that.

    Raises:
        RunError: it was rejected.
    """
    shown, _ = split(cast("Value", dict(filled)))
    ask = f"{path!r} ({step.node.kind}) would act on what came from outside. May it?"
    answer = await waits.answer(Asked("approval", {"ask": ask, "show": shown}))
    if isinstance(answer.value, dict) and answer.value.get("approved") is True:
        return
    note = f" {answer.note}" if answer.note else ""
    raise RunError(
        f"{answer.by} did not approve that {path!r} acts on what came from outside.{note}",
        retryable=False,
    )
