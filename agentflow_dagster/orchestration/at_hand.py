"""One transaction around several calls of Dagster's storage, each of which would have its own."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    import sqlalchemy as sa


class AtHand(threading.local):
    """The transaction that a thread is in, if it is in one."""

    connection: sa.Connection | None = None
    ordered: bool = False
    """Whether the transaction holds the lock under which event ids are given out."""


@contextmanager
def one_transaction(
    at_hand: AtHand, connect: Callable[[], AbstractContextManager[sa.Connection]]
) -> Generator[sa.Connection]:
    """The transaction at hand, or one of its own: committed at the end of the block, rolled back
    if it raises."""
    if at_hand.connection is not None:
        yield at_hand.connection
        return
    with connect() as connection:
        writing = connection.execution_options(isolation_level="READ COMMITTED")
        with writing.begin():
            at_hand.connection = writing
            try:
                yield writing
            finally:
                at_hand.connection, at_hand.ordered = None, False
