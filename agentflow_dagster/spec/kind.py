"""What a document needs to know of a node kind: its config, its ports and what it puts out.

`ports.kind.Kind` adds the work itself.
"""

from __future__ import annotations

from abc import ABC
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.checks import CheckSpec
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

RawConfig: TypeAlias = "Mapping[str, JsonValue]"
"""A node's `with` as its author wrote it, expressions not yet evaluated."""


VALUED_PORTS = ("error", "rejected")
"""Ports whose values expressions read under the port's name: `draft.error.message`. The value of
`result` is read as `draft.output`; other ports only choose a way."""


class KindConfig(BaseModel):
    """Base of a kind's config model: frozen, camelCase in documents, nothing unknown accepted."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        arbitrary_types_allowed=True,
    )


ConfigT = TypeVar("ConfigT", bound=KindConfig)


class KindSignature(ABC, Generic[ConfigT]):
    """A node kind as seen without running it.

    Class attributes:
        name: `family.name`, as documents write it.
        summary: One sentence for palettes and docs.
        version: Raised when the same config comes to mean something else.
        config: The model of `with`.
        asset: Whether the node holds data and so is a Dagster asset.
        waits: Whether it may wait for a time, a person or a call, and its run with it; where that
            depends on the config, `may_wait` says it.
        called_back: Whether it is given a URL at which others answer, `run.callback_url` in its
            config.
        keeps_calls: It keeps its calls of models as it makes them, so that another attempt makes
            none of them again, and tells of all of them.
        outside: What it gives came from outside, and may say anything: it is data, never an
            instruction.
        effects: `external` where running it changes something outside.
        uses: What of the document counts for the node beside its config: `llm`, `code` (both may
            come from the defaults), `memory` (of its resources). With `own_llm`, the node's own
            model settings count and the agent's defaults do not.
        fixed: Fields of the config that decide ports, reads or output, so that no expression can
            stand in their place.
        programs: Fields of the config that are run as code: they are taken as they stand, so that
            no value can be written into them.
        inner: Fields of the config whose expressions are evaluated around a body, not once for the
            node: `before` each run of it they know the body's names, `after` it also its nodes.
        prose: The field of the config that is written as prose, such as a prompt: in a notebook it
            is the cell's text. "" where there is none.
        example: YAML for its page: nodes by name, or a whole agent.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    version: ClassVar[int] = 1
    config: type[ConfigT]
    asset: ClassVar[bool] = True
    waits: ClassVar[bool] = False
    called_back: ClassVar[bool] = False
    keeps_calls: ClassVar[bool] = False
    outside: ClassVar[bool] = False
    effects: ClassVar[Literal["none", "external"]] = "none"
    uses: ClassVar[frozenset[Literal["llm", "own_llm", "code", "memory"]]] = frozenset()
    fixed: ClassVar[frozenset[str]] = frozenset()
    programs: ClassVar[frozenset[str]] = frozenset()
    inner: ClassVar[Mapping[str, Literal["before", "after"]]] = MappingProxyType({})
    prose: ClassVar[str] = ""
    example: ClassVar[str] = ""

    @property
    def family(self) -> str:
        """`ai` of `ai.classify`."""
        return self.name.partition(".")[0]

    def describe(self, config: RawConfig) -> str:
        """What a node does whose author has not said so."""
        return self.summary

    def templated(self, config: RawConfig) -> dict[str, JsonValue]:
        """The part of the config whose expressions are evaluated once for the node."""
        bodies = {path[0] for path in self.bodies(config).values()}
        apart = self.programs | self.inner.keys() | bodies
        return {name: value for name, value in config.items() if name not in apart}

    def bodies(self, config: RawConfig) -> Mapping[str, tuple[str, ...]]:
        """The graphs of nodes inside the config, by name: where each `{nodes, outputs}` stands."""
        return {}

    def body_names(
        self, config: RawConfig, body: str, types: Mapping[str, JsonSchema]
    ) -> Mapping[str, JsonSchema]:
        """What expressions in a body know beside what the node knows: `item` of a loop.

        Args:
            config: The node's config.
            body: Its name.
            types: JSON Schemas of what the config's fields evaluate to; empty where only the names
                are asked for.
        """
        return {}

    def may_wait(self, config: RawConfig) -> bool:
        """Whether a node of this config may wait for a time, a person or a call."""
        return self.waits

    def ports(self, config: RawConfig) -> tuple[str, ...]:
        """The ports by which the node may leave; `error` is added where `onError` is set."""
        return ("result",)

    def reads(self, config: RawConfig) -> tuple[str, ...]:
        """Nodes that the config names outside expressions; `join` governs these edges."""
        return ()

    def checks(self, config: RawConfig) -> tuple[CheckSpec, ...]:
        """What the node checks of its data; each is a check of its asset in Dagster."""
        return ()

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        """JSON Schema of the output; `upstream` has those of the nodes that `reads` names, and of
        the outputs of its bodies, by the body's name."""
        return {}


Catalogue: TypeAlias = "Mapping[str, KindSignature[KindConfig]]"
"""Kinds by name."""
