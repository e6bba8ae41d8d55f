"""The agent document: the one form that every view (YAML, notebook, canvas) is a view of.

Values are frozen. Field names in JSON are camelCase, in Python snake_case. Meaning that spans
fields (references, types, cycles) is checked in `graph`, not here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, model_validator

from agentflow_dagster.spec import element, partitions, tests, triggers
from agentflow_dagster.spec.demands import Limits, LLMRouting, Needs, Resources
from agentflow_dagster.spec.element import Element, NodeName, Template, Text
from agentflow_dagster.spec.partitions import Partitions
from agentflow_dagster.spec.tests import AgentTest
from agentflow_dagster.spec.triggers import Trigger
from agentflow_dagster.spec.units import Duration

API_VERSION = "agentflow.io/v1"

_AGENT_NAME = r"^[a-z][a-z0-9]*([-_][a-z0-9]+)*$"
_AGENT_TAG = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
_PORT_REF = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$"
_ENVIRONMENT_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
_KIND_NAME = r"^[a-z][a-z0-9]*\.[a-z][a-z0-9_]*$"
PATTERN_HINTS = {
    **element.PATTERN_HINTS,
    **triggers.PATTERN_HINTS,
    **partitions.PATTERN_HINTS,
    **tests.PATTERN_HINTS,
    _AGENT_NAME: "Use lower-case letters, digits and hyphens, beginning with a letter.",
    _AGENT_TAG: "Use letters, digits, `.`, `-` and `_`, as in v1.2.",
    _PORT_REF: "Write `node`, or `node.port`.",
    _ENVIRONMENT_NAME: "Use letters, digits and underscores.",
    _KIND_NAME: "Write `family.name`, such as ai.chat.",
}
"""What to do about a text that does not match, by pattern."""

AgentName = Annotated[str, StringConstraints(pattern=_AGENT_NAME, max_length=63)]
"""`support-triage`; Dagster's names are made from it with `-` written `_`."""
AgentTag = Annotated[str, StringConstraints(pattern=_AGENT_TAG, max_length=128)]
"""`v1.2`: a name for a state of the agent, as images have them."""
PortRef = Annotated[str, StringConstraints(pattern=_PORT_REF, max_length=127)]
"""`node` (its `result`) or `node.port`."""
EnvironmentName = Annotated[str, StringConstraints(pattern=_ENVIRONMENT_NAME, max_length=255)]


class Metadata(Element):
    """Who the agent is."""

    name: AgentName
    tag: AgentTag | None = Field(
        default=None,
        description="With the name, how `agent.run` and workflows name it: `agents/name:tag`.",
    )
    description: Text = ""
    labels: dict[str, Annotated[str, StringConstraints(max_length=255)]] = Field(
        default_factory=dict[str, str],
        description="Become tags in Dagster; `team` also becomes the owner of the agent's assets.",
    )
    icon: Annotated[str, StringConstraints(max_length=16)] = ""


class LLM(Element):
    """Which model answers, and how."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = Field(
        default=None,
        description="A LiteLLM model name, such as `gpt-4o-mini` or `offline/extractive`.",
    )
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    needs: Needs | None = Field(default=None, description="What calls need, for `llmRouting`.")
    cache: bool | None = Field(
        default=None,
        description="Keep replies: the same call of the same node is answered from before, free.",
    )
    prompt_cache: bool | None = Field(
        default=None,
        description="Have the provider keep the prompt's beginning, where it can.",
    )


class Retry(Element):
    """How often a step is attempted. `maxAttempts: 3` is the first attempt and two retries."""

    max_attempts: int = Field(default=3, ge=1, le=20)
    backoff: Literal["exponential", "linear", "fixed"] = "exponential"
    delay: Duration = "1s"


class CodeDefaults(Element):
    """What every `code.python` node shares."""

    setup: Annotated[str, StringConstraints(max_length=200_000)] = Field(
        default="", description="Python that runs before each node's own: imports and functions."
    )


class Defaults(Element):
    """What nodes take where they say nothing themselves."""

    llm: LLM | None = None
    retry: Retry | None = None
    timeout: Duration | None = None
    code: CodeDefaults | None = None


class OnError(Element):
    """Where control goes when a step has failed its last attempt."""

    to: NodeName


class Node(Element):
    """One node: a kind, its config, and what it comes after."""

    kind: Annotated[str, StringConstraints(pattern=_KIND_NAME, max_length=63)]
    description: Text = ""
    with_: dict[str, JsonValue] = Field(
        default_factory=dict[str, JsonValue],
        alias="with",
        description="The kind's config; any text in it may hold `{{ }}`.",
    )
    after: tuple[PortRef, ...] = Field(
        default=(),
        description="Control: `node`, or `node.port` of a switch; data edges are implied.",
    )
    when: Template | None = Field(
        default=None, description="`{{ }}` that skips the node where false."
    )
    join: Literal["all", "any"] = Field(
        default="all", description="Whether all of `after` must have run, or any one."
    )
    on_error: OnError | None = None
    on_unknown: Literal["retry", "fail", "review"] | None = Field(
        default=None,
        description="What to do with a step in flight at a crash whose effect is unknown.",
    )
    retry: Retry | None = None
    timeout: Duration | None = None
    llm: LLM | None = None
    resources: Resources | None = None
    limits: Limits | None = None


class Body(Element):
    """A graph of nodes inside a node: what a loop repeats, what a branch does."""

    nodes: dict[NodeName, Node] = Field(min_length=1)
    outputs: dict[NodeName, JsonValue] = Field(
        default_factory=dict[str, JsonValue], description="What it gives; `{{ }}` reads its nodes."
    )


class Config(Element):
    """How the agent runs as a whole."""

    max_concurrent_executions: int = Field(default=10, ge=1, le=10_000)
    priority: int = Field(
        default=0, ge=-100, le=100, description="Runs that wait begin in its order, highest first."
    )
    default_timeout: Duration = Field(default="300s", description="Limit of a step that sets none.")
    retry_policy: Literal["exponential", "linear", "fixed", "none"] = Field(
        default="none",
        description="Retries (three attempts) for nodes that say nothing of their own.",
    )
    run_retries: int = Field(
        default=0,
        ge=0,
        le=10,
        description="How often a failed run is tried again as a whole, from where it failed.",
    )
    run_retry_delay: Duration = Field(
        default="30s", description="Before a run's first retry; grows as `retryPolicy` says."
    )
    tainted_effects: Literal["allow", "approve"] = Field(
        default="allow",
        description="`approve`: a node that changes something outside, and reads what came from "
        "outside, waits for a person's approval.",
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=3_650,
        description="Days that runs are kept after their end; the project says it otherwise.",
    )


class Budget(Element):
    """Most that the agent may spend, in USD."""

    per_run_usd: float | None = Field(default=None, gt=0)
    monthly_usd: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _satisfiable(self) -> Budget:
        if self.per_run_usd and self.monthly_usd and self.per_run_usd > self.monthly_usd:
            raise ValueError(
                "a run may spend more than a month: lower perRunUsd or raise monthlyUsd"
            )
        return self


class Spec(Element):
    """What the agent does."""

    inputs: dict[str, JsonValue] = Field(
        default_factory=lambda: {"type": "object", "properties": {}},
        description="JSON Schema of the run's input.",
    )
    defaults: Defaults = Defaults()
    secrets: tuple[EnvironmentName, ...] = Field(
        default=(), description="What `{{secret.NAME}}` may name."
    )
    env: tuple[EnvironmentName, ...] = Field(
        default=(), description="What `{{env.NAME}}` may name."
    )
    triggers: dict[NodeName, Trigger] = Field(default_factory=dict[str, Trigger])
    partitions: Partitions | None = Field(
        default=None, description="How the agent's runs are cut; each run is of one partition."
    )
    nodes: dict[NodeName, Node] = Field(min_length=1)
    outputs: dict[NodeName, JsonValue] = Field(default_factory=dict[str, JsonValue])
    config: Config = Config()
    budget: Budget | None = None
    llm_routing: LLMRouting | None = None
    lineage: Literal["nodes", "outputs", "none"] = Field(
        default="nodes",
        description="Which nodes are assets in Dagster: all that hold data, those that `outputs` "
        "reads, or none.",
    )
    tests: dict[NodeName, AgentTest] = Field(default_factory=dict[str, AgentTest])


class Agent(Element):
    """A whole agent document."""

    api_version: Literal["agentflow.io/v1"]
    kind: Literal["Agent"]
    metadata: Metadata
    spec: Spec
    layout: dict[str, JsonValue] = Field(
        default_factory=dict[str, JsonValue],
        description="Positions on the canvas; outside the content hash.",
    )

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.metadata.name
