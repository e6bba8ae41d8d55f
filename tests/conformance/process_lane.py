"""The process lane on a bench: what the warm parent's child does, in a fork of the test."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

from dagster import AssetKey, DagsterInstance
from dagster._core.definitions.reconstruct import ReconstructableRepository

from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.run_config import run_config
from agentflow_dagster.orchestration.warm.asking import CarryOut
from agentflow_dagster.orchestration.warm.children import carry_out
from tests.orchestration import served
from tests.orchestration.bench import QUIET, loading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.context import ForkProcess

    from dagster import DagsterRun

    from agentflow_dagster.spec.values import JsonObject
    from tests.orchestration.bench import Bench, Ran


def run(
    bench: Bench,
    agent: str,
    input_: JsonObject | None = None,
    *,
    config: JsonObject | None = None,
    select: Iterable[str] = (),
) -> Ran:
    """Runs an agent's job, or some of its assets, in a process of its own; see `create`."""
    created = create(bench, agent, input_, config=config, select=select)
    asked = asked_for(created)
    assert in_own_process(bench, lambda instance: carry_out(asked, instance)) == 0
    return bench.ran(created.run_id)


def create(
    bench: Bench,
    agent: str,
    input_: JsonObject | None = None,
    *,
    config: JsonObject | None = None,
    select: Iterable[str] = (),
) -> DagsterRun:
    """Creates a run of an agent's job, or of some of its assets (`agent/node`).

    Args:
        bench: Whose; children have it as it is now, with what its model is to answer.
        agent: The agent's name.
        input_: Its input.
        config: The run config of the agent's graph, in place of an input.
        select: The assets; all where there are none.
    """
    served.at_work[:] = [bench]
    name, job = names.dagster_name(agent), names.job_name(agent)
    repository = ReconstructableRepository.for_module(served.__name__, "defs", ".")
    with loading():
        made = repository.get_definition()
    definition = made.get_job(job)
    given = {"ops": {name: {"config": config}}} if config is not None else {}
    if input_ is not None:
        given = run_config(name, input_)
    return bench.instance.create_run_for_job(
        definition,
        run_config={**given, "loggers": QUIET},
        asset_selection={AssetKey(key.split("/")) for key in select} or None,
        tags=dict(definition.run_tags),
        repository_load_data=made.repository_load_data,
        job_code_origin=repository.get_reconstructable_job(job).get_python_origin(),
    )


def asked_for(run: DagsterRun) -> CarryOut:
    """What the warm parent is asked for a run."""
    return CarryOut(run_id=run.run_id, job=run.job_name, location=names.LOCATION)


def in_own_process(bench: Bench, work: Callable[[DagsterInstance], int]) -> int | None:
    """Does work in a fork, and says how that ended: below 0, it was by a signal."""
    process = forked(bench, work)
    process.join()
    return process.exitcode


def forked(bench: Bench, work: Callable[[DagsterInstance], int]) -> ForkProcess:
    """A fork that is at work. It has the connections of the bench, which rest meanwhile."""
    reference = bench.instance.get_ref()

    def child() -> None:
        raise SystemExit(work(DagsterInstance.from_ref(reference)))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    return process
