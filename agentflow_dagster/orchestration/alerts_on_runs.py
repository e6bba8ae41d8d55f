"""Puts alerts of budgets where an operator looks: on the run whose call crossed the threshold."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agentflow_dagster.orchestration.names import ALERT_TAG

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from agentflow_dagster.ports.ledger import Alert

_log = logging.getLogger(__name__)


def tell_on_run(instance: DagsterInstance, alert: Alert) -> None:
    """Logs an alert, in the run's log too, and adds it to the run's tag. Called in the thread that
    stores the account, which goes on whatever becomes of it; the run may have ended by then.

    Args:
        instance: Where runs are recorded.
        alert: What there is to tell.
    """
    _log.warning("%s", alert)
    try:
        run = instance.get_run_by_id(alert.run_id) if alert.run_id else None
        if run is None:
            return
        instance.report_engine_event(str(alert), run)
        said = f"{alert.scope} {alert.percent} %"
        known = run.tags.get(ALERT_TAG)
        instance.add_run_tags(run.run_id, {ALERT_TAG: f"{known}, {said}" if known else said})
    except Exception:  # noqa: BLE001 - the account is stored whatever becomes of the run
        _log.exception("An alert could not be put on run %s.", alert.run_id)
