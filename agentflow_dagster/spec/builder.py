"""Documents made in Python: `Agent(...)` and `Workflow(...)`, another form of the same.

    Agent("greeting").inputs({…}).node("greet", "ai.chat", {"prompt": "Greet {{input.who}}."})

What is given is checked when the document is asked for (`build`), as a file is.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, TypedDict, cast

from agentflow_dagster.errors import DocumentError, UsageError
from agentflow_dagster.spec import demands, document, partitions, tests, triggers, workflow
from agentflow_dagster.spec.diagnostics import nearest
from agentflow_dagster.spec.element import Element
from agentflow_dagster.spec.lowering import parse_workflow
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self, Unpack

    from pydantic import BaseModel

    from agentflow_dagster.spec.values import JsonObject, JsonValue

Given = object
"""What stands for a JSON value: one, or parts of a document such as `Retry(max_attempts=3)`."""

LLMConfig = workflow.WorkflowLLM
"""Which model answers a workflow's agent: `LLMConfig(provider="openai", model="gpt-4")`."""

_WRITTEN_OTHERWISE = {"Agent", "Body", "Metadata", "Node", "Spec", "Trigger"}
_WORKFLOW_PARTS = ("WorkflowTrigger", "WorkflowResources")

PARTS: Mapping[str, type[Element]] = {
    **{
        name: part
        for module in (document, demands, partitions, tests, triggers)
        for name, part in vars(module).items()
        if isinstance(part, type) and issubclass(part, Element) and part is not Element
        if name not in _WRITTEN_OTHERWISE
    },
    **{name: cast("type[Element]", getattr(workflow, name)) for name in _WORKFLOW_PARTS},
    "LLMConfig": LLMConfig,
}
"""The parts of documents that have a constructor, by name."""


class NodeSettings(TypedDict, total=False):
    """What a node may say beside its kind and config."""

    description: str
    after: Sequence[str]
    when: str
    join: str
    on_error: document.OnError
    on_unknown: str
    retry: document.Retry
    timeout: str
    llm: document.LLM
    resources: demands.Resources
    limits: demands.Limits


class Agent:
    """An agent: one that is made here, node by node, or one by its image, for a `Workflow`.

    Args:
        name: Its name.
        metadata: `description`, `tag`, `labels`, `icon`; with an image `image`, `llm`,
            `resources`, `retry`, `depends_on` and `limits` instead.
    """

    def __init__(self, name: str, **metadata: Given) -> None:
        self.name = name
        if "image" in metadata:
            fields = _plain(metadata, workflow.WorkflowAgent)
            self._member: JsonObject | None = {"name": name, **fields}
            self._metadata: JsonObject = {}
        else:
            self._member = None
            self._metadata = {"name": name, **_plain(metadata, document.Metadata)}
        self._spec: JsonObject = {}
        self._layout: JsonObject | None = None

    def inputs(self, schema: Mapping[str, Given]) -> Self:
        """The JSON Schema of a run's input."""
        return self._with("inputs", plain(schema))

    def secrets(self, *names: str) -> Self:
        """What `{{secret.NAME}}` may name."""
        return self._with("secrets", list(names))

    def env(self, *names: str) -> Self:
        """What `{{env.NAME}}` may name."""
        return self._with("env", list(names))

    def trigger(self, name: str, **fields: Given) -> Self:
        """One more way in which a run starts: `webhook=Webhook(path="/tickets"), input={…}`."""
        return self._with_one("triggers", name, _plain(fields, triggers.Trigger))

    def node(
        self,
        name: str,
        kind: str,
        config: Mapping[str, Given] | None = None,
        **settings: Unpack[NodeSettings],
    ) -> Self:
        """One more node.

        Args:
            name: What expressions call it.
            kind: Such as `ai.chat`.
            config: Its `with`.
            settings: `after`, `when`, `retry` … as in a document, in snake_case.
        """
        told: JsonObject = {"kind": kind}
        if config is not None:
            told["with"] = plain(config)
        return self._with_one("nodes", name, told | _plain(settings, document.Node))

    def outputs(self, outputs: Mapping[str, Given]) -> Self:
        """What a run gives, by name."""
        return self._with("outputs", plain(outputs))

    def settings(self, **fields: Given) -> Self:
        """Everything else of `spec`, in snake_case: `defaults`, `config`, `budget`, …."""
        return self._copy(_spec={**self._spec, **_plain(fields, document.Spec)})

    def layout(self, layout: Mapping[str, Given]) -> Self:
        """Positions on the canvas."""
        return self._copy(_layout=plain(layout))

    def to_json(self) -> JsonObject:
        """The document as it stands, not checked.

        Raises:
            UsageError: it is an agent by image, which stands in a workflow.
        """
        if self._member is not None:
            raise UsageError(
                f"{self.name!r} is an agent by its image.", hint="Put it into a Workflow(agents=…)."
            )
        written: JsonObject = {
            "apiVersion": document.API_VERSION,
            "kind": "Agent",
            "metadata": self._metadata,
            "spec": self._spec,
        }
        return written if self._layout is None else {**written, "layout": self._layout}

    def build(self) -> document.Agent:
        """The document.

        Raises:
            DocumentError: a field is wrong.
        """
        parsed = parse_agent(self.to_json())
        if isinstance(parsed, tuple):
            raise DocumentError(parsed)
        return parsed

    @property
    def member(self) -> JsonObject:
        """The agent as one of a workflow.

        Raises:
            UsageError: it has no image.
        """
        if self._member is None:
            raise UsageError(
                f"{self.name!r} has no image.", hint='Give it one: image="agents/name:tag".'
            )
        return self._member

    def _with(self, field: str, value: JsonValue) -> Self:
        return self._copy(_spec={**self._spec, field: value})

    def _copy(self, **changes: object) -> Self:
        changed = copy(self)
        vars(changed).update(changes)
        return changed

    def _with_one(self, field: str, name: str, value: JsonObject) -> Self:
        before = cast("JsonObject", self._spec.get(field) or {})
        if name in before:
            raise UsageError(f"{self.name!r} has two {field} called {name!r}.")
        return self._with(field, {**before, name: value})


class Workflow:
    """Agents by image, in an order.

    Args:
        name: Its name.
        agents: `Agent(name=…, image=…)`.
        triggers, config, llm_routing: As in a document, left out where it says nothing.
        metadata: `description`, `tag`, `labels`, `icon`.
    """

    def __init__(
        self,
        name: str,
        agents: Sequence[Agent],
        *,
        triggers: Sequence[Given] | None = None,
        config: Given = None,
        llm_routing: Given = None,
        **metadata: Given,
    ) -> None:
        self.name = name
        told = {"triggers": triggers, "config": config, "llm_routing": llm_routing}
        given = {field: value for field, value in told.items() if value is not None}
        self._spec: JsonObject = {
            "agents": [agent.member for agent in agents],
            **_plain(given, workflow.WorkflowSpec),
        }
        self._metadata: JsonObject = {"name": name, **_plain(metadata, document.Metadata)}

    def to_json(self) -> JsonObject:
        """The document as it stands, not checked."""
        return {
            "apiVersion": document.API_VERSION,
            "kind": "Workflow",
            "metadata": self._metadata,
            "spec": self._spec,
        }

    def build(self) -> workflow.Workflow:
        """The document.

        Raises:
            DocumentError: a field is wrong.
        """
        parsed = parse_workflow(self.to_json())
        if isinstance(parsed, tuple):
            raise DocumentError(parsed)
        return parsed


def plain(value: Given) -> JsonValue:
    """What was given as JSON; parts of a document as they stand in one."""
    match value:
        case Element():
            dumped = value.model_dump(mode="json", by_alias=True, exclude_unset=True)
            return cast("JsonObject", dumped)
        case Mapping():
            told = cast("Mapping[object, object]", value)
            return {str(key): plain(inner) for key, inner in told.items()}
        case list() | tuple():
            return [plain(inner) for inner in cast("Sequence[object]", value)]
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise UsageError(f"{value!r} has no place in a document.")


def _plain(fields: Mapping[str, Given], model: type[BaseModel]) -> JsonObject:
    """Fields in snake_case as a document has them."""
    told: JsonObject = {}
    for name, value in fields.items():
        if name not in model.model_fields:
            hint = nearest(name, model.model_fields)
            raise UsageError(f"There is no field {name!r} here.", hint=hint)
        told[model.model_fields[name].alias or name] = plain(value)
    return told
