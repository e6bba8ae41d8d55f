"""`logic.switch`: the way that goes on is the first whose condition holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, StringConstraints

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.kind import KindConfig

if TYPE_CHECKING:
    from agentflow_dagster.spec.kind import RawConfig


def _free(case: str) -> str:
    if case in {"result", "error"}:
        raise ValueError(f"{case!r} is a port of its own; give the case another name")
    return case


Case = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63), AfterValidator(_free)
]


class SwitchConfig(KindConfig):
    """The cases, judged in order."""

    cases: dict[Case, bool] = Field(
        min_length=1, max_length=100, description="Each way out and when it is taken."
    )
    default: Case | None = Field(default=None, description="The way out where no case holds.")


class Switch(Kind[SwitchConfig]):
    """Leaves by the port of the first case that is true."""

    name = "logic.switch"
    summary = "Takes the first way whose condition holds."
    example = """\
route:
  kind: logic.switch
  with:
    cases:
      small: "{{input.amount < 50.0}}"
      large: "{{input.amount >= 500.0}}"
    default: usual
pay:
  kind: ai.chat
  after: [route.small, route.usual]
  join: any
  with: {prompt: "Say that {{input.amount}} is paid out."}
"""
    config = SwitchConfig
    asset = False
    fixed = frozenset({"cases", "default"})

    def ports(self, config: RawConfig) -> tuple[str, ...]:
        cases = config["cases"]
        names = list(cases) if isinstance(cases, dict) else []
        default = config.get("default")
        return tuple(dict.fromkeys([*names, *([default] if isinstance(default, str) else [])]))

    async def run(self, context: NodeContext, config: SwitchConfig) -> NodeResult:
        taken = next((name for name, holds in config.cases.items() if holds), config.default)
        if taken is None:
            raise RunError(
                f"No case of {context.node!r} holds.",
                hint="Add a `default`, or a case for this input.",
                retryable=False,
            )
        return NodeResult(port=taken)
