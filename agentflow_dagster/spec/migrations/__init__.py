"""Documents in older forms of the format, brought to today's: pure functions, one a step.

There is one form so far, so the table is empty. To change the format: give it a new `apiVersion`,
add the step from the old one here, and freeze a document of the old form under
`tests/spec/corpus/`. A step takes a document (any JSON object) and gives a new one; it never raises
on one that is wrong, which the checks tell of in today's form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.spec.values import JsonObject

Step: TypeAlias = "Callable[[JsonObject], JsonObject]"


@dataclass(frozen=True, slots=True)
class Migration:
    """The step from one form of the format to the next: its `apiVersion` and how to get there."""

    to: str
    step: Step


MIGRATIONS: Mapping[str, Migration] = {}
"""Steps by the `apiVersion` that they begin at."""


def migrated(document: JsonObject, migrations: Mapping[str, Migration] = MIGRATIONS) -> JsonObject:
    """A document in today's form; one that no step begins at is given back as it is."""
    current = document
    for _ in range(len(migrations)):
        version = current.get("apiVersion")
        migration = migrations.get(version) if isinstance(version, str) else None
        if migration is None:
            break
        current = {**migration.step(current), "apiVersion": migration.to}
    return current
