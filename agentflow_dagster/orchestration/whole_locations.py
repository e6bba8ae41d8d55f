"""Has Dagster read a code location in one answer.

By itself it asks a code server for a list of jobs and then for each job in turn, twice handed on:
of fifty agents that is a third of the time that a reload takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster._api import snapshot_repository
from dagster._core.errors import DagsterUserCodeUnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._core.remote_representation.code_location import CodeLocation
    from dagster._core.remote_representation.external_data import RepositorySnap
    from dagster._core.snap import JobSnap
    from dagster._grpc.client import DagsterGrpcClient

_in_parts = snapshot_repository.sync_get_external_repositories_data_grpc


def read_locations_whole() -> None:
    """From now on, in this process."""
    snapshot_repository.sync_get_external_repositories_data_grpc = _read


def _read(
    api_client: DagsterGrpcClient,
    code_location: CodeLocation,
    defer_snapshots: bool,  # noqa: FBT001 - as it is Dagster's
) -> Mapping[str, tuple[RepositorySnap, Mapping[str, JobSnap]]]:
    try:
        return _in_parts(api_client, code_location, defer_snapshots=False)
    except DagsterUserCodeUnreachableError:
        # More than gRPC takes at a time, which is some 400 agents; or it is away, as this will say.
        return _in_parts(api_client, code_location, defer_snapshots)
