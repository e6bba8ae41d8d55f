"""What starts a run: the trigger's part of the document, a model per kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from agentflow_dagster.spec.element import ColumnName, Element, NodeName, Template
from agentflow_dagster.spec.units import Duration

_WEBHOOK_PATH = r"^(/[A-Za-z0-9._~-]+)+$"
_ONE_EXPRESSION = r"^\{\{[\s\S]*\}\}$"
PATTERN_HINTS = {
    _WEBHOOK_PATH: "Write a path such as /tickets.",
    _ONE_EXPRESSION: "Write one expression, such as {{event.body}}, or a mapping.",
}
"""What to do about a text that does not match, by pattern."""

WholeInput = Annotated[str, StringConstraints(pattern=_ONE_EXPRESSION, max_length=10_000)]
"""One expression that gives an input as a whole: `{{event.body}}`."""

TriggerKind = Literal["webhook", "schedule", "manual", "file", "database", "event"]
_KINDS: tuple[TriggerKind, ...] = ("webhook", "schedule", "manual", "file", "database", "event")


class Webhook(Element):
    """An HTTP call that starts a run."""

    path: Annotated[str, StringConstraints(pattern=_WEBHOOK_PATH, max_length=255)]
    method: Literal["POST", "PUT"] = "POST"


class Schedule(Element):
    """Times at which a run starts."""

    cron: Annotated[str, StringConstraints(max_length=100)]
    timezone: Annotated[str, StringConstraints(max_length=64)] = "UTC"


class Manual(Element):
    """A run started by a person; it carries only the input that it prefills."""


class FileWatch(Element):
    """Files that appear or change under the project's data folder; each version starts a run."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(
        description="A glob under the project's data folder, such as `inbox/*.csv`; `**` is any "
        "depth.",
        examples=["inbox/*.csv"],
    )
    settle: Duration = Field(
        default="2s", description="How long size and time of change must have stayed the same."
    )
    max_bytes: int = Field(
        default=1_000_000, ge=1, le=10_000_000, description="A larger file starts no run."
    )
    read: Literal["text", "json", "rows", "none"] = Field(
        default="text", description="What of the file the event holds, and under which name."
    )


class DatabaseWatch(Element):
    """Rows that a query finds beyond a high-water mark; each starts a run."""

    url: Template = Field(
        description="A SQLAlchemy URL, by `{{secret.NAME}}` or `{{env.NAME}}`.",
        examples=["{{secret.WAREHOUSE_URL}}"],
    )
    query: Annotated[str, StringConstraints(min_length=1, max_length=20_000)] = Field(
        description="One SELECT, in which `:since` is the mark: `… WHERE updated_at >= :since`.",
    )
    mark: ColumnName = Field(description="The column that grows: a time or a number.")
    key: ColumnName = Field(description="The column that tells rows of one mark apart.")
    start: str | int | float = Field(description="The mark to begin from.")
    every: Duration = "30s"


class SourceWatch(Element):
    """A connector that is asked for what is new; each event starts a run."""

    source: Annotated[str, StringConstraints(min_length=1, max_length=63)] = Field(
        description="The connector's name; plugins add theirs."
    )
    config: dict[str, JsonValue] = Field(
        default_factory=dict[str, JsonValue],
        description="The connector's own; texts may read `{{secret.…}}` and `{{env.…}}`.",
    )
    every: Duration = "60s"


class Trigger(Element):
    """One way in which a run starts, and how its event becomes the run's input."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [name], "properties": {name: {"type": "object"}}} for name in _KINDS
            ]
        }
    )

    webhook: Webhook | None = None
    schedule: Schedule | None = None
    manual: Manual | None = None
    file: FileWatch | None = None
    database: DatabaseWatch | None = None
    event: SourceWatch | None = None
    input: dict[str, JsonValue] | WholeInput = Field(
        default_factory=dict[str, JsonValue],
        description="The run's input; `{{event.body.…}}` reads the event.",
    )
    partition: Template | dict[NodeName, Template] | None = Field(
        default=None,
        description="The partition that the run is of; a key of each dimension where there are "
        "two.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Trigger:
        if sum(getattr(self, name) is not None for name in _KINDS) != 1:
            raise ValueError(f"give exactly one of {', '.join(_KINDS)}")
        return self

    @property
    def kind(self) -> TriggerKind:
        """Which of them it is."""
        return next(name for name in _KINDS if getattr(self, name) is not None)

    @property
    def polled(self) -> FileWatch | DatabaseWatch | SourceWatch | None:
        """What the agent's sensor looks at, where it is one of those."""
        return self.file or self.database or self.event

    @property
    def queued(self) -> bool:
        """Whether its events go through the inbox."""
        return self.webhook is not None or self.polled is not None
