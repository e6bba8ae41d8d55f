"""Strategies of JSON values, and settings under which property tests do not race a clock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonValue

THOROUGH = bool(os.environ.get("THOROUGH"))
"""Whether properties are tried at length, as `make soak` has it."""

TEXTS: st.SearchStrategy[str] = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Every text that JSON can hold."""

SCALARS: st.SearchStrategy[JsonValue] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
OBJECTS: st.SearchStrategy[JsonObject] = st.dictionaries(TEXTS, VALUES, max_size=5)


def patiently(examples: int = 100) -> settings:
    """Settings with no deadline: the machine may be busy.

    Args:
        examples: How many to try at length; otherwise it is a quarter of them.
    """
    return settings(
        max_examples=examples if THOROUGH else max(1, examples // 4),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
