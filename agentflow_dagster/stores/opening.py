"""The stores of one database, built together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from agentflow_dagster.ports.events import Feeds
    from agentflow_dagster.ports.failures import Failures
    from agentflow_dagster.ports.stores import Inbox, VersionStore
    from agentflow_dagster.stores.account import Account
    from agentflow_dagster.stores.ledger import PostgresLedger
    from agentflow_dagster.stores.live_texts import PostgresLiveTexts
    from agentflow_dagster.stores.memo import PostgresMemo
    from agentflow_dagster.stores.steps import PostgresStepStore
    from agentflow_dagster.stores.waits import PostgresWaits


@dataclass(frozen=True, slots=True)
class Stores:
    """What is kept between processes. `close` gives connections back, and what was leased of
    budgets."""

    versions: VersionStore
    steps: PostgresStepStore
    inbox: Inbox
    feeds: Feeds
    failures: Failures
    waits: PostgresWaits
    ledger: PostgresLedger
    account: Account
    memo: PostgresMemo
    texts: PostgresLiveTexts
    close: Callable[[], None]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_stores(
    url: str, artifacts: Path, *, workspace_monthly_usd: Decimal | None = None
) -> Stores:
    """Opens the stores of a database, whose tables it makes or upgrades where that is due.

    Threads may share them, and a forked child may go on using them.

    Args:
        url: See `database_url`.
        artifacts: The folder for large values; processes that share the database share it too.
        workspace_monthly_usd: What all agents together may spend on models in a month; None has no
            limit.

    Raises:
        StoreError: the database cannot be reached, or is of a newer AgentFlow.
    """
    from agentflow_dagster.stores.account import Account
    from agentflow_dagster.stores.artifacts import ArtifactFolder
    from agentflow_dagster.stores.engine import create_engine
    from agentflow_dagster.stores.failures import PostgresFailures
    from agentflow_dagster.stores.feeds import PostgresFeeds
    from agentflow_dagster.stores.inbox import PostgresInbox
    from agentflow_dagster.stores.ledger import PostgresLedger
    from agentflow_dagster.stores.live_texts import PostgresLiveTexts
    from agentflow_dagster.stores.memo import PostgresMemo
    from agentflow_dagster.stores.migration import migrate
    from agentflow_dagster.stores.steps import PostgresStepStore
    from agentflow_dagster.stores.versions import PostgresVersionStore
    from agentflow_dagster.stores.waits import PostgresWaits

    engine = create_engine(url)
    try:
        migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    ledger = PostgresLedger(engine, workspace_monthly_usd)

    def close() -> None:
        ledger.close()
        engine.dispose()

    return Stores(
        versions=PostgresVersionStore(engine),
        steps=PostgresStepStore(engine, ArtifactFolder(artifacts)),
        inbox=PostgresInbox(engine),
        feeds=PostgresFeeds(engine),
        failures=PostgresFailures(engine),
        waits=PostgresWaits(engine),
        ledger=ledger,
        account=Account(engine),
        memo=PostgresMemo(engine),
        texts=PostgresLiveTexts(engine),
        close=close,
    )
