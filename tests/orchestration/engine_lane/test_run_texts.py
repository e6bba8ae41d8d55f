"""The text of a run is the one that Dagster would have written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from dagster import DagsterRun, DagsterRunStatus
from dagster._serdes import serialize_value
from hypothesis import given
from hypothesis import strategies as st

from agentflow_dagster.orchestration.engine_lane.run_texts import RunForm
from tests.support.properties import OBJECTS, patiently

if TYPE_CHECKING:
    from collections.abc import Mapping

OF = RunForm.of(DagsterRun("a_job", run_id="", tags={"some": "tag"}, step_keys_to_execute=["s"]))


@patiently()
@given(
    config=OBJECTS,
    tags=st.dictionaries(st.text(), st.text()),
    status=st.sampled_from(DagsterRunStatus),
)
def test_as_dagster_writes_it(
    config: Mapping[str, object], tags: Mapping[str, str], status: DagsterRunStatus
) -> None:
    run = DagsterRun("a_job", run_id="some-id", step_keys_to_execute=["s"])
    run = cast("Any", run)._replace(run_config=config, tags=tags, status=status)
    assert OF.text(run) == RunForm.of(run).text(run) == serialize_value(run)


def test_what_stands_in_a_form_may_stand_in_a_run() -> None:
    said = {"${run_id}": "${tags}", "x": {"status": {"__enum__": "PipelineRunStatus.STARTED"}}}
    run = DagsterRun("a_job", run_id="some-id", run_config=said, tags={"x": "${run_config}"})
    assert RunForm.of(run).text(run) == serialize_value(run)
