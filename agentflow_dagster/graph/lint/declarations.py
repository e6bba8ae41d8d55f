"""What is declared and never read."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.spec.diagnostics import pointer, warning
from agentflow_dagster.spec.fixes import Fix, Remove
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.graph.lint.subject import Subject
    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.values import JsonSchema


def unused_secrets(given: Subject) -> Iterator[Diagnostic]:
    """AF703: a secret that nothing reads."""
    for index, name in _unread(given, "secret", given.agent.spec.secrets):
        yield warning(
            "AF703",
            f"The secret {name!r} is declared, and nothing reads it.",
            pointer=pointer("spec", "secrets", index),
            fix=_taken_out(name, "spec", "secrets", index),
            hint="Take it out: what is not declared cannot leak.",
        )


def unused_env(given: Subject) -> Iterator[Diagnostic]:
    """AF704: an environment variable that nothing reads."""
    for index, name in _unread(given, "env", given.agent.spec.env):
        yield warning(
            "AF704",
            f"The variable {name!r} is declared, and nothing reads it.",
            pointer=pointer("spec", "env", index),
            fix=_taken_out(name, "spec", "env", index),
            hint="Take it out, or read it: {{env." + name + "}}.",
        )


def unused_inputs(given: Subject) -> Iterator[Diagnostic]:
    """AF705: an input that nothing reads."""
    known = properties(cast("JsonSchema", given.agent.spec.inputs))
    for _, name in _unread(given, "input", tuple(known)):
        yield warning(
            "AF705",
            f"Nothing reads the input {name!r}.",
            pointer=pointer("spec", "inputs", "properties", name),
            hint="Read it: {{input." + name + "}}, or take it out.",
        )


def _taken_out(name: str, *path: str | int) -> Fix:
    return Fix(title=f"Take out {name!r}", edits=(Remove(path=pointer(*path)),))


def _unread(given: Subject, root: str, names: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """The names under a root that nothing reads; none where the root is read as a whole."""
    fields = [read.fields for read in given.reads_of(root)]
    if any(not path for path in fields):
        return
    read = {path[0] for path in fields}
    yield from ((index, name) for index, name in enumerate(names) if name not in read)
