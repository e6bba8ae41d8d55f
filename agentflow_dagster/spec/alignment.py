"""Which item of an old list became which of a new one."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from agentflow_dagster.spec.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.spec.values import JsonValue


def paired(
    old: Sequence[JsonValue], new: Sequence[JsonValue]
) -> list[tuple[int | None, int | None]]:
    """Pairs of places (old, new) in the order of the new list; None where there is no partner.

    Equal items are partners; between them, items that changed are, in order.
    """
    matcher = SequenceMatcher(
        None, [canonical_json(v) for v in old], [canonical_json(v) for v in new], autojunk=False
    )
    pairs: list[tuple[int | None, int | None]] = []
    for _, a, b, c, d in matcher.get_opcodes():
        both = min(b - a, d - c)
        pairs += zip(range(a, a + both), range(c, c + both), strict=True)
        pairs += [(index, None) for index in range(a + both, b)]
        pairs += [(None, index) for index in range(c + both, d)]
    return pairs
