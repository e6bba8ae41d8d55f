"""What the kinds have in common that ask people."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints, model_validator

from agentflow_dagster.ports.waits import Escalation
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.units import Duration, seconds

Person = Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]


class EscalationConfig(KindConfig):
    """More people who may answer after some time."""

    after: Duration = Field(description="How long after it was asked.")
    to: tuple[Person, ...] = Field(min_length=1, max_length=100, description="Who may, then.")


class AskConfig(KindConfig):
    """What is asked, of whom, and for how long."""

    ask: str = Field(min_length=1, max_length=10_000, description="What they are asked.")
    show: JsonValue = Field(default=None, description="What it is about; shown beside it.")
    people: tuple[Person, ...] = Field(
        default=(),
        max_length=100,
        description="Who may answer, by their names; where none is named, anyone may.",
    )
    deadline: Duration | None = Field(
        default=None, description="How long they have; without it, as long as it takes."
    )
    escalate: tuple[EscalationConfig, ...] = Field(
        default=(), max_length=20, description="Who else may answer, after some time."
    )

    @model_validator(mode="after")
    def _someone_first(self) -> AskConfig:
        if self.escalate and not self.people:
            raise ValueError("`escalate` adds to `people`: say who may answer at first")
        return self

    @property
    def due(self) -> float | None:
        """Seconds that they have."""
        return seconds(self.deadline) if self.deadline else None

    def escalations(self) -> tuple[Escalation, ...]:
        """As a wait has them."""
        return tuple(Escalation(seconds(one.after), one.to) for one in self.escalate)
