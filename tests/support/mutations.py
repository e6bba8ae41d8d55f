"""The sample with a few places dropped, doubled, swapped or overwritten."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

from hypothesis import strategies as st

from tests.support.documents import places, sample
from tests.support.properties import VALUES

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

SAMPLE_PLACES = list(places(sample()))[1:]


def mutated(data: st.DataObject) -> JsonObject:
    """The sample with one to three places dropped, doubled, swapped or overwritten."""
    document: Any = sample()
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(SAMPLE_PLACES))
        parent: Any = document
        for step in path[:-1]:
            try:
                parent = parent[step]
            except (KeyError, IndexError, TypeError):
                parent = None
        if not isinstance(parent, dict | list):
            continue
        try:
            old = cast("Any", parent)[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        _change(data, parent, path[-1], old)
    return document


def _change(data: st.DataObject, parent: Any, key: str | int, old: Any) -> None:
    other = data.draw(st.sampled_from(SAMPLE_PLACES))
    match data.draw(st.sampled_from(["drop", "replace", "graft", "wrap", "retype", "expression"])):
        case "drop":
            del parent[key]
        case "replace":
            parent[key] = data.draw(VALUES)
        case "graft":
            grafted: Any = sample()
            for step in other:
                grafted = grafted[step]
            parent[key] = deepcopy(grafted)
        case "wrap":
            parent[key] = data.draw(st.sampled_from([[old], {"a": old}, [old, old], {}, []]))
        case "retype":
            parent[key] = data.draw(
                st.sampled_from([str(old), 0, 1.5, True, None, {"type": "string"}, "a", "ai.chat"])
            )
        case _:
            expressions = ["{{input.body}}", "{{", "{{draft.output}}", "{{1}} {{[", "{{secret.X}}"]
            parent[key] = data.draw(st.sampled_from(expressions))
