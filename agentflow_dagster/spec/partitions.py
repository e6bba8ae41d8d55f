"""How an agent's runs are cut: by time, by keys, by keys that grow, or by two of these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from agentflow_dagster.spec.element import Element, NodeName

_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:00)?$"
_KEY = r"^[^\x00-\x1f|,\[\]]+$"
PATTERN_HINTS = {
    _DATE: "Write a day, as in 2026-01-31; for hours also 2026-01-31T06:00.",
    _KEY: "A key has none of the signs | , [ ] and no line breaks.",
}
"""What to do about a text that does not match, by pattern."""

Cut = Literal["hourly", "daily", "weekly", "monthly"]
CUTS: tuple[Cut, ...] = ("hourly", "daily", "weekly", "monthly")
_FORMS = (*CUTS, "static", "dynamic")

_Date = Annotated[str, StringConstraints(pattern=_DATE)]
_Key = Annotated[str, StringConstraints(pattern=_KEY, max_length=255)]


class TimePartitions(Element):
    """Windows of time, one after another; a window is there once it is over."""

    start: _Date = Field(description="Where the first window begins.", examples=["2026-01-01"])
    end: _Date | None = Field(
        default=None, description="Where the last window ends; open if absent."
    )
    timezone: Annotated[str, StringConstraints(max_length=64)] = "UTC"


def _one_of(names: tuple[str, ...]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in names]})


class Dimension(Element):
    """One way of cutting."""

    model_config = _one_of(_FORMS)

    hourly: TimePartitions | None = None
    daily: TimePartitions | None = None
    weekly: TimePartitions | None = Field(default=None, description="Weeks begin on Sunday.")
    monthly: TimePartitions | None = None
    static: tuple[_Key, ...] | None = Field(default=None, min_length=1)
    dynamic: NodeName | None = Field(
        default=None, description="The name of a set of keys in Dagster that grows with events."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Dimension:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError(f"give exactly one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def time(self) -> tuple[Cut, TimePartitions] | None:
        """The windows and their length, where it cuts by time."""
        for cut in CUTS:
            if (found := getattr(self, cut)) is not None:
                return cut, found
        return None


class Partitions(Dimension):
    """How an agent's runs are cut."""

    model_config = _one_of((*_FORMS, "multi"))

    multi: dict[NodeName, Dimension] | None = Field(
        default=None, description="Two dimensions by name; a key of each makes a partition."
    )

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """Its dimensions by name; the only one of a plain cut is called "" here."""
        return dict(self.multi) if self.multi is not None else {"": self}

    @property
    def by_time(self) -> bool:
        """Whether one of its dimensions is time."""
        return any(one.time for one in self.dimensions.values())
