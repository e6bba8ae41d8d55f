"""One run for an event, whoever makes it: the run's row is made with a note at the event.

The front door and the agent's sensor may both come to make the run of one event: a claim that was
outlived, a launch that was given up and went on. Dagster looks for a run of the same key before it
makes one, but between looking and making another may do the same.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from dagster._core.errors import DagsterRunAlreadyExists
from dagster_postgres.run_storage import PostgresRunStorage

from agentflow_dagster.orchestration import names
from agentflow_dagster.orchestration.at_hand import AtHand, one_transaction
from agentflow_dagster.orchestration.event_run import RUN_KEY_TAG, SENSOR_TAG
from agentflow_dagster.ports.stores import event_of
from agentflow_dagster.stores.failures import note_made
from agentflow_dagster.stores.inbox import note_run

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import sqlalchemy as sa
    from dagster import DagsterRun

_FROM_UI_TAG = "dagster/from_ui"


class OwedRuns(PostgresRunStorage):
    """Dagster's runs; one that an event is owed is made once, in the transaction that notes it."""

    def __init__(self, postgres_url: str, *, should_autocreate_tables: bool) -> None:
        self._at_hand = AtHand()
        super().__init__(postgres_url, should_autocreate_tables)

    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        """Stores a new run.

        Raises:
            DagsterRunAlreadyExists: its event has a run, or was rejected; or the run that failed
                has been tried again.
        """
        failure_id = retried_for(dagster_run)
        if failure_id is not None:
            with self._one_transaction() as connection:
                if not note_made(connection, failure_id, dagster_run.run_id):
                    said = f"Run {dagster_run.parent_run_id} has been tried again."
                    raise DagsterRunAlreadyExists(said)
                return super().add_run(dagster_run)
        event_id = owed_to(dagster_run)
        if event_id is None:
            return super().add_run(dagster_run)
        agent = dagster_run.tags[names.AGENT_TAG]
        with self._one_transaction() as connection:
            of_event = note_run(connection, event_id, agent, dagster_run.run_id)
            if of_event != dagster_run.run_id:
                said = f"has the run {of_event}" if of_event else "was rejected"
                raise DagsterRunAlreadyExists(f"Event {event_id} of {agent!r} {said}.")
            return super().add_run(dagster_run)

    def connect(self) -> AbstractContextManager[sa.Connection]:
        ongoing = self._at_hand.connection
        return super().connect() if ongoing is None else nullcontext(ongoing)

    def _one_transaction(self) -> AbstractContextManager[sa.Connection]:
        return one_transaction(self._at_hand, super().connect)


def retry_tag(failure_id: int, failed: str) -> dict[str, str]:
    """The tag of the run that is made for a run that failed."""
    return {names.RETRY_OF_TAG: f"{failure_id} {failed}"}


def retried_for(run: DagsterRun) -> int | None:
    """The failure for which a run is made, by its tags; None where there is none.

    A person who runs it again takes the tags along, and then it is not the parent that is meant.
    """
    number, _, failed = run.tags.get(names.RETRY_OF_TAG, "").partition(" ")
    return int(number) if number.isdecimal() and failed == run.parent_run_id else None


def owed_to(run: DagsterRun) -> int | None:
    """The event that a run is owed to, by its tags; None where there is none.

    A person who runs it again, or opens it in the launchpad, takes the tags along.
    """
    tags = run.tags
    agent = tags.get(names.AGENT_TAG)
    again = run.parent_run_id is not None or _FROM_UI_TAG in tags
    if agent is None or again or tags.get(SENSOR_TAG) != names.sensor_name(agent):
        return None
    return event_of(tags.get(RUN_KEY_TAG, ""))
