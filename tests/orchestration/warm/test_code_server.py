"""Code servers that are forked from the warm parent: what they serve, and what if they die."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import ListRepositoriesResponse
from dagster._serdes import deserialize_value

from agentflow_dagster.operations.components import HOST, Component, code_server, free_ports
from agentflow_dagster.operations.project import Project
from agentflow_dagster.orchestration.code_server import ForkedServer
from agentflow_dagster.orchestration.warm.asking import SOCKET_VARIABLE
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.orchestration.warm.conftest import Site

NAME = "code-server"


@pytest.fixture(scope="module")
def client(site: Site) -> DagsterGrpcClient:
    """Of a code server that listens."""
    (port,) = free_ports(1)
    site.processes.start([code_server(Project.find(site.root), "agentflow", port)])
    client = DagsterGrpcClient(port=port, host=HOST)
    wait_until(lambda: server_of(client))
    return client


def server_of(client: DagsterGrpcClient) -> str:
    """Which server answers; "" where none does."""
    try:
        return client.get_server_id()
    except DagsterUserCodeUnreachableError:
        return ""


def jobs(client: DagsterGrpcClient) -> set[str]:
    listed = deserialize_value(client.list_repositories(), ListRepositoriesResponse)
    assert isinstance(listed, ListRepositoriesResponse), listed
    return {symbol.attribute for symbol in listed.repository_symbols}


def fork(site: Site) -> psutil.Process:
    """The warm parent's only child."""
    parent = psutil.Process(site.processes.pid("warm-parent"))
    wait_until(lambda: len(parent.children()) == 1)
    return parent.children()[0]


def test_it_is_a_fork_and_a_reload_is_another(site: Site, client: DagsterGrpcClient) -> None:
    first = fork(site)
    before = server_of(client)
    assert jobs(client) == {"defs"}
    client.reload_code(timeout=60)
    assert server_of(client) not in {"", before}
    wait_until(lambda: not psutil.pid_exists(first.pid))
    assert fork(site).pid != first.pid
    # The proxy alone is a child of its own.
    assert not psutil.Process(site.processes.pid(NAME)).children()


def test_what_was_edited_is_seen(site: Site, client: DagsterGrpcClient) -> None:
    file = site.root / "definitions.py"
    text = file.read_text()
    file.write_text(text.replace("def defs()", "def others()"))
    client.reload_code(timeout=60)
    assert jobs(client) == {"others"}
    file.write_text(text)
    client.reload_code(timeout=60)
    assert jobs(client) == {"defs"}


def test_what_cannot_be_loaded_is_told_and_mended(site: Site, client: DagsterGrpcClient) -> None:
    file = site.root / "resources" / "model.py"
    text = file.read_text()
    file.write_text(text + "raise ValueError('not yet written')\n")
    client.reload_code(timeout=60)
    assert "not yet written" in client.list_repositories()
    file.write_text(text)
    client.reload_code(timeout=60)
    assert jobs(client) == {"defs"}


@pytest.mark.fault
@pytest.mark.parametrize("killed", ["the server", "the warm parent"])
def test_where_it_dies_it_is_loaded_again(
    site: Site, client: DagsterGrpcClient, killed: str
) -> None:
    before = server_of(client)
    if killed == "the server":
        fork(site).kill()
    else:
        os.kill(site.processes.pid("warm-parent"), signal.SIGKILL)
        wait_until(site.processes.revive)
    wait_until(lambda: server_of(client) not in {"", before})
    assert jobs(client) == {"defs"}


def test_without_a_warm_parent_it_starts_a_process(site: Site) -> None:
    (port,) = free_ports(1)
    made = code_server(Project.find(site.root), "agentflow-2", port)
    nobody = {**made.environment, SOCKET_VARIABLE: str(site.socket.with_name("nobody"))}
    site.processes.start([Component(made.name, made.command, nobody)])
    client = DagsterGrpcClient(port=port, host=HOST)
    wait_until(lambda: server_of(client))
    assert jobs(client) == {"defs"}
    assert psutil.Process(site.processes.pid(made.name)).children()


def test_a_server_that_is_gone_has_ended() -> None:
    process = psutil.Popen(["true"])
    server = ForkedServer(process.pid)
    process.wait()
    assert server.wait(1) == server.poll() == 0
    assert ForkedServer(process.pid).poll() == 0
