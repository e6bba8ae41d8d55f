"""Changes of several tables as one statement: each round trip to the database costs whoever waits
for it, however little is changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.stores.connection import Connection

_VALUE = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to one table, without its values.

    Args:
        name: What the others of the same statement may call the rows that it returns.
        sql: An INSERT, UPDATE or DELETE; it does not see what the others do.
        told: What is to be known of the rows that it returns, as SQL: `array_agg(id)`.
    """

    name: str
    sql: str
    told: str = ""


async def change_all(
    connection: Connection, changes: Sequence[tuple[Change, Sequence[object]]]
) -> Mapping[str, Sequence[object] | None]:
    """Does all of them, or none; what is to be known of each stands under its name.

    Args:
        connection: Where.
        changes: At least one, each with the values of its `$1`, `$2` …
    """
    values = [value for _, own in changes for value in own]
    (told,) = await connection.fetch(_statement(tuple(change for change, _ in changes)), *values)
    return cast("Mapping[str, Sequence[object] | None]", told)


@lru_cache(maxsize=256)
def _statement(changes: tuple[Change, ...]) -> str:
    steps: list[str] = []
    before = 0
    for change in changes:
        numbers = [int(number) for number in _VALUE.findall(change.sql)]
        steps.append(f"{change.name} AS ({_renumbered(change.sql, before)})")
        before += max(numbers, default=0)
    told = [f"(SELECT {c.told} FROM {c.name}) AS {c.name}" for c in changes if c.told]  # noqa: S608 - constants
    return f"WITH {', '.join(steps)} SELECT {', '.join(told) or 'NULL'}"


def _renumbered(sql: str, before: int) -> str:
    return _VALUE.sub(lambda found: f"${int(found[1]) + before}", sql)
