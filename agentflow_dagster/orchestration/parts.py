"""What Dagster makes of some of an agent's assets: a job that asks for no input.

Dagster keeps a graph's config as it is when it takes a part of it. A run of some nodes takes the
input of the run that it builds on, so "materialize selected" would be refused for the lack of an
input that the run has no use for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import AssetsDefinition, GraphDefinition
from dagster._core.definitions.graph_definition import SubselectedGraphDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from dagster import AssetCheckKey, AssetKey, ConfigMapping, NodeInvocation, OutputMapping
    from dagster._core.definitions.dependency import IDependencyDefinition
    from dagster._core.definitions.node_definition import NodeDefinition


class AgentGraph(GraphDefinition):
    """The graph of a whole agent.

    Args:
        name, description, node_defs, dependencies, output_mappings, config: As Dagster has them.
        part_config: The config of a part of it, in place of `config`.
    """

    def __init__(
        self,
        *,
        name: str,
        description: str,
        node_defs: Sequence[NodeDefinition],
        dependencies: Mapping[NodeInvocation, Mapping[str, IDependencyDefinition]],
        output_mappings: Sequence[OutputMapping],
        config: ConfigMapping,
        part_config: ConfigMapping,
    ) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            name=name,
            description=description,
            node_defs=node_defs,
            dependencies=dependencies,
            output_mappings=output_mappings,
            config=config,
        )
        self.part_config = part_config


class _Part(SubselectedGraphDefinition):
    """The same part of a graph with another config."""

    def __init__(self, part: SubselectedGraphDefinition, config: ConfigMapping) -> None:
        self._part_config = config
        super().__init__(
            parent_graph_def=part.parent_graph_def,
            node_defs=part.node_defs,
            dependencies=part.dependencies,
            input_mappings=part.input_mappings,
            output_mappings=part.output_mappings,
        )

    @property
    def config_mapping(self) -> ConfigMapping:
        return self._part_config


class AgentAssets(AssetsDefinition):
    """An agent's assets; their graph is an `AgentGraph`."""

    def subset_for(
        self,
        selected_asset_keys: AbstractSet[AssetKey],
        selected_asset_check_keys: AbstractSet[AssetCheckKey] | None,
    ) -> AssetsDefinition:
        """Dagster's, of the assets and checks that are selected."""
        found = super().subset_for(selected_asset_keys, selected_asset_check_keys)
        part, whole = found.node_def, self.node_def
        while isinstance(whole, SubselectedGraphDefinition):
            whole = whole.parent_graph_def
        if (
            len(found.keys) == len(found.node_keys_by_output_name)
            or not isinstance(part, SubselectedGraphDefinition)
            or not isinstance(whole, AgentGraph)
        ):
            return found
        attributes = found.get_attributes_dict()
        attributes["node_def"] = _Part(part, whole.part_config)
        return self.__class__.dagster_internal_init(**attributes)
