"""What every diagnostic means: one entry a code, from which `docs/diagnostics.md` is generated.

A new code is an entry in the file of its group, and an example in `tests/operations/mistakes/`.
"""

from agentflow_dagster.spec.catalogue.entry import Entry
from agentflow_dagster.spec.catalogue.pages import CATALOGUE, explained, page

__all__ = ["CATALOGUE", "Entry", "explained", "page"]
