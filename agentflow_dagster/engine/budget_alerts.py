"""Says when much of a month's budget is spent, and when a call cost more than it might."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

    from agentflow_dagster.ports.ledger import Alert, Overrun

PERCENTS = (50, 80, 100)
_log = logging.getLogger(__name__)


def reached(spent: Decimal, limit: Decimal | None) -> Sequence[int]:
    """The percents of a limit that were reached."""
    if not limit:
        return ()
    return [percent for percent in PERCENTS if spent * 100 >= limit * percent]


def tell_alert(alert: Alert, listener: Callable[[Alert], None] | None) -> None:
    """Has an alert told; it is logged where nobody listens."""
    if listener is None:
        _log.warning("%s", alert)
    else:
        listener(alert)


def tell_overrun(overrun: Overrun, listener: Callable[[Overrun], None] | None) -> None:
    """Has an overrun told; it is logged where nobody listens."""
    if listener is None:
        _log.warning("%s", overrun)
    else:
        listener(overrun)
