"""The code location of whatever bench is at work, for what Dagster does through a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import Definitions, definitions

if TYPE_CHECKING:
    from tests.orchestration.bench import Bench

at_work: list[Bench] = []
"""One or none."""


@definitions
def defs() -> Definitions:
    (bench,) = at_work
    return bench.defs()
