"""One server for the session, and LiteLLM as a client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from agentflow_dagster.models.litellm_loading import close_connections, load_litellm
from agentflow_dagster.testing import Answer, ModelServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(scope="session")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    """The session's server, which remembers nothing of the tests before."""
    running.answer_with([Answer()], forget=True)
    return running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def litellm() -> AsyncIterator[object]:
    """The library. Its connections are of the session's event loop, and closed at its end."""
    library = load_litellm()
    yield library
    await close_connections()
