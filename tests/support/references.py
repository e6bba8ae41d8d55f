"""A kind `agent.run` that only has a signature, for checks that need no run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.spec.kind import KindConfig, KindSignature

if TYPE_CHECKING:
    from agentflow_dagster.spec.kind import Catalogue


class RunConfig(KindConfig):
    agent: str
    input: dict[str, Any] = Field(default_factory=dict[str, Any])


class Run(KindSignature[RunConfig]):
    name = "agent.run"
    summary = "Runs another agent."
    config = RunConfig
    uses = frozenset({"llm"})
    fixed = frozenset({"agent"})


def kinds_with_run() -> Catalogue:
    """The built-in kinds, and this one where they lack it."""
    stub = cast("Any", Run())
    return cast("Catalogue", {"agent.run": stub, **builtin_kinds()})
