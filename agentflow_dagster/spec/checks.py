"""What a node checks of its data: declared by its config, judged when it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import JsonValue


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check that a node's config declares.

    Args:
        name: Letters, digits and `_`; one of its own among the node's checks.
        description: What is checked, for people.
        blocking: Whether the node fails where the check does.
    """

    name: str
    description: str = ""
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a check came out.

    Args:
        name: That of its `CheckSpec`.
        passed: Whether the data is as it should be.
        description: What is wrong; "" where nothing is.
        facts: Numbers and samples to show with it.
    """

    name: str
    passed: bool
    description: str = ""
    facts: Mapping[str, JsonValue] = field(default_factory=dict[str, "JsonValue"])
