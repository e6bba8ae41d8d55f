"""What a run of an agent has left behind: its version, its input, and the values that it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.instance import opened_instance
from agentflow_dagster.orchestration.names import INPUT
from agentflow_dagster.orchestration.partitions import PARTITION
from agentflow_dagster.orchestration.source_run import layers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agentflow_dagster.ports.stores import StepOutput, StepStore
    from agentflow_dagster.spec.values import JsonObject

_SHORTEST = 6
_SEARCHED = 2_000


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run as it was.

    Args:
        run_id: The run.
        agent: Its agent's name.
        version: The hash of the version that it ran.
        status: Dagster's.
        input: Its input, complete.
        partition: What `run` showed of its partition; empty where it was of none.
        outputs: By node; of a partial run also what stood in.
    """

    run_id: str
    agent: str
    version: str
    status: str
    input: JsonObject
    partition: JsonObject
    outputs: Mapping[str, StepOutput]


def past_run(folder: Path, url: str, steps: StepStore, run_id: str) -> PastRun:
    """Finds a run of an agent.

    Args:
        folder: The Dagster home.
        url: Its database.
        steps: Where values are kept.
        run_id: The run's id, or its first characters.

    Raises:
        UsageError: there is none, or several begin so, or nothing of it was stored.
    """
    from dagster import RunsFilter

    with opened_instance(folder, url) as instance:
        run = instance.get_run_by_id(run_id)
        if run is None and len(run_id) >= _SHORTEST:
            newest = instance.get_runs(RunsFilter(), limit=_SEARCHED)
            found = [one for one in newest if one.run_id.startswith(run_id)]
            if len(found) > 1:
                raise UsageError(f"Several runs begin with {run_id!r}.", hint="Write more of it.")
            run = found[0] if found else None
    if run is None or names.AGENT_TAG not in run.tags:
        raise UsageError(f"There is no run {run_id!r} of an agent.", hint="`agentflow runs` lists.")
    held = steps.all(run.run_id)
    if INPUT not in held:
        message = f"Nothing is kept of run {run.run_id}."
        raise UsageError(message, hint="It had not begun, or its values were deleted.")
    outputs: dict[str, StepOutput] = {}
    for layer in (held, *layers(steps, held)):
        outputs = {**layer, **outputs}
    return PastRun(
        run.run_id,
        run.tags[names.AGENT_TAG],
        run.tags.get(names.VERSION_TAG, ""),
        run.status.value,
        cast("JsonObject", held[INPUT].value),
        cast("JsonObject", held[PARTITION].value) if PARTITION in held else {},
        {name: one for name, one in outputs.items() if not name.startswith("$")},
    )
