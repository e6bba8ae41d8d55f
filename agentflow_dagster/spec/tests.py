"""Tests that a document brings along: an input, what stands in for nodes, what is expected."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, model_validator

from agentflow_dagster.spec.element import Element, NodeName, Template, Text

_PATH = r"^[a-z][a-z0-9_]*(\[[0-9]+\])?(\.[a-z][a-z0-9_]*(\[[0-9]+\])?)*$"
_VALUE = r"^([A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\])*|\{\{[\s\S]*\}\})$"
PATTERN_HINTS = {
    _PATH: "Write a node's name, or its path in bodies, such as each.draft or each[2].draft.",
    _VALUE: "Write a path, such as outputs.label or classify.output.label, or one {{ }}.",
}
"""What to do about a text that does not match, by pattern."""

NodePath = Annotated[str, StringConstraints(pattern=_PATH, max_length=1000)]
"""A node, with the bodies it stands in: `each.draft` in every round, `each[2].draft` in one."""
ValuePath = Annotated[str, StringConstraints(pattern=_VALUE, max_length=10_000)]
"""`outputs.label`, `classify.output.label`, or one expression."""

MATCHERS = ("equals", "contains", "regex", "schema_", "similar")
_WHOLE = ("status", "skipped", "failure", "cost_usd", "latency_ms", "tokens")
MAX_CASES = 10_000


class Mock(Element):
    """What stands in for a node, which is then not run."""

    output: JsonValue = Field(default=None, description="What it puts out.")
    error: Text | None = Field(default=None, description="It fails with this message.")
    port: NodeName | None = Field(default=None, description="The port that it leaves by.")

    @model_validator(mode="after")
    def _something(self) -> Mock:
        if not self.model_fields_set:
            raise ValueError("give `output`, `port` or `error`")
        if self.error is not None and len(self.model_fields_set) > 1:
            raise ValueError("a node that fails has neither `output` nor `port`")
        return self


class Similar(Element):
    """How near in meaning a text has to come to another."""

    to: Template
    at_least: float = Field(
        default=0.7, ge=-1, le=1, description="Cosine of the two, by the embedded sentence model."
    )


class Failure(Element):
    """How a run is to fail."""

    contains: Template


class Most(Element):
    """A bound that is not to be passed."""

    max: float = Field(ge=0)


class Expectation(Element):
    """What is to hold of one value, or of the run as a whole."""

    value: ValuePath | None = Field(
        default=None, description="Which value: `outputs.label`, `classify.output.label`."
    )
    jsonpath: Annotated[str, StringConstraints(min_length=1, max_length=10_000)] | None = Field(
        default=None, description="Which part of the value; a list where it can find several."
    )
    equals: JsonValue = Field(default=None, description="The value itself; 1 equals 1.0.")
    contains: JsonValue = Field(
        default=None, description="Part of a text, an item of a list, or fields of an object."
    )
    regex: Annotated[str, StringConstraints(min_length=1, max_length=10_000)] | None = Field(
        default=None, description="A regular expression that is found in the text."
    )
    schema_: dict[str, JsonValue] | None = Field(
        default=None, alias="schema", description="A JSON Schema."
    )
    similar: Similar | None = None
    status: Literal["SUCCESS", "FAILURE"] | None = None
    skipped: tuple[NodeName, ...] | None = Field(default=None, min_length=1)
    failure: Failure | None = None
    cost_usd: Most | None = None
    latency_ms: Most | None = None
    tokens: Most | None = Field(default=None, description="Tokens in and out, of all calls.")

    @property
    def matchers(self) -> tuple[str, ...]:
        """The matchers that it gives, by their names in Python."""
        return tuple(name for name in MATCHERS if name in self.model_fields_set)

    @model_validator(mode="after")
    def _judges(self) -> Expectation:
        if self.value is not None and not self.matchers:
            raise ValueError("say what is to hold: equals, contains, regex, schema or similar")
        if self.value is None and (self.matchers or self.jsonpath is not None):
            raise ValueError("say of which `value` that is to hold, such as outputs.label")
        if self.value is None and not any(name in self.model_fields_set for name in _WHOLE):
            raise ValueError(
                "give a `value`, or one of status, skipped, failure, costUsd, latencyMs, tokens"
            )
        return self


class Cases(Element):
    """A data set, each of whose rows is a case of the test."""

    file: Annotated[str, StringConstraints(min_length=1, max_length=1000)] = Field(
        description="Below the data folder: .csv, .tsv, .jsonl or .json.",
        examples=["tickets.jsonl"],
    )
    where: Template | None = Field(
        default=None, description="`{{ }}` over `case` that picks rows; all where absent."
    )
    limit: int = Field(default=1000, ge=1, le=MAX_CASES, description="Most rows, the first ones.")


class AgentTest(Element):
    """One test; its texts may hold `{{case.…}}` of its data set."""

    description: Text = ""
    node: NodeName | None = Field(default=None, description="Tests this node alone.")
    given: dict[NodeName, JsonValue] = Field(
        default_factory=dict[str, JsonValue],
        description="What the nodes before `node` put out.",
    )
    input: dict[str, JsonValue] = Field(
        default_factory=dict[str, JsonValue], description="The run's input."
    )
    partition: Template | None = Field(
        default=None, description="Of a partitioned agent: the key, as for `agentflow run`."
    )
    mocks: dict[NodePath, Mock] = Field(
        default_factory=dict[str, Mock], description="What stands in for nodes."
    )
    expect: tuple[Expectation, ...] = Field(min_length=1, max_length=200)
    cases: Cases | None = None
    pass_rate: float = Field(
        default=1.0, ge=0, le=1, description="The share of cases that has to pass."
    )
