"""A code location that is read in one answer is the one that Dagster reads in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster._api import snapshot_repository
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._grpc.client import DagsterGrpcClient

from agentflow_dagster.operations.components import HOST, code_server, free_ports
from agentflow_dagster.operations.project import Project
from agentflow_dagster.orchestration.whole_locations import read_locations_whole
from tests.orchestration.warm.conftest import SAYS
from tests.orchestration.warm.test_code_server import server_of
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import pytest

    from tests.orchestration.warm.conftest import Site


def test_it_is_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write("greeter", SAYS.format(word="Hello"))
    (port,) = free_ports(1)
    site.processes.start([code_server(Project.find(site.root), "agentflow", port)])
    wait_until(lambda: server_of(DagsterGrpcClient(port=port, host=HOST)))

    asked: list[str] = []
    of_one, of_all = DagsterGrpcClient.external_job, DagsterGrpcClient.external_repository

    def counted(self: DagsterGrpcClient, origin: Any, name: str) -> Any:
        asked.append(name)
        return of_one(self, origin, name)

    def read() -> dict[str, Any]:
        asked.clear()
        origin = GrpcServerCodeLocationOrigin(host=HOST, port=port, location_name="agentflow")
        with GrpcServerCodeLocation(origin, instance=site.instance) as location:
            (repository,) = location.get_repositories().values()
            return {job.name: job.job_snapshot for job in repository.get_all_jobs()}

    monkeypatch.setattr(DagsterGrpcClient, "external_job", counted)
    stock = "sync_get_external_repositories_data_grpc"
    monkeypatch.setattr(snapshot_repository, stock, getattr(snapshot_repository, stock))
    in_parts = read()
    assert {"greeter_job", "by_hand", "stubborn"} <= set(asked)
    read_locations_whole()
    assert read() == in_parts
    assert asked == []

    def too_much(
        self: DagsterGrpcClient, remote_repository_origin: Any, defer_snapshots: bool = False
    ) -> str:
        if not defer_snapshots:
            raise DagsterUserCodeUnreachableError("RESOURCE_EXHAUSTED")
        return of_all(self, remote_repository_origin, defer_snapshots)

    monkeypatch.setattr(DagsterGrpcClient, "external_repository", too_much)
    assert read() == in_parts
    assert asked != []
