"""Claims of events, as time would have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conftest import run_on

if TYPE_CHECKING:
    from tests.orchestration.bench import Bench


def end_claims(bench: Bench) -> None:
    """Makes every claim of an event run out."""
    run_on(bench.database_url, "UPDATE agentflow.inbox SET claimed_until = now()")
