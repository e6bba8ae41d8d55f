"""What LiteLLM does beside a call: it tells nobody how it went, and writes nothing that nobody
reads. Of calls in the same process that are not ours it does as ever."""

from __future__ import annotations

import asyncio
import traceback
from queue import Queue
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from agentflow_dagster.errors import ModelError
from agentflow_dagster.models import ModelPlane, close_connections
from agentflow_dagster.models.litellm_loading import load_litellm
from agentflow_dagster.ports.model import Message, ModelRequest, ToolSpec
from agentflow_dagster.testing import Answer, ModelServer, Refusal, faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from agentflow_dagster.testing import Reply

MODELS = {"openai": "openai/gpt-4o-mini", "anthropic": "anthropic/claude-haiku-4-5"}
ASKING = {"ollama": "ollama_chat/qwen3", "huggingface": "huggingface/Qwen/Qwen3-32B"}
ENDS: dict[str, Reply] = {
    "answered": Answer("Hello there."),
    "refused": Refusal(500),
    "broken": faults.cut(),
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def _connections() -> AsyncIterator[None]:
    yield
    await close_connections()


class Ear:
    """Listens."""

    def text(self, piece: str) -> None:
        assert piece

    def again(self) -> None:
        """Nothing is kept."""


class Told:
    """What a callback of LiteLLM's is told: how a call went, and the traceback of its error."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, str]] = []
        self.in_threads: Queue[str] = Queue()
        self.something = asyncio.Event()

    def note(self, end: str, told: dict[str, Any]) -> None:
        self.ends.append((end, str(told.get("traceback_exception") or "")))
        self.something.set()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """By callbacks that somebody else has set in this process."""
    litellm: Any = load_litellm()
    from litellm.integrations.custom_logger import CustomLogger
    from litellm.litellm_core_utils.litellm_logging import Logging

    told = Told()

    class Callback(CustomLogger):
        async def async_log_success_event(
            self, kwargs: dict[str, Any], *_: object, **__: object
        ) -> None:
            told.note("answered", kwargs)

        async def async_log_failure_event(
            self, kwargs: dict[str, Any], *_: object, **__: object
        ) -> None:
            told.note("failed", kwargs)

    def plain(*_: object) -> None:
        """As is set for LiteLLM to write reports in threads."""

    for handler in ("success_handler", "failure_handler"):
        does = getattr(Logging, handler)

        def noted(self: Any, *args: Any, does: Any = does, **options: Any) -> None:
            told.in_threads.put(str(self.messages))
            does(self, *args, **options)

        monkeypatch.setattr(Logging, handler, noted)

    # LiteLLM hands what is in the first of these on to the others.
    names = ("success_", "failure_", "input_", "_async_success_", "_async_failure_")
    kept = {f"{name}callback": [*getattr(litellm, f"{name}callback")] for name in names}
    kept["callbacks"] = [*litellm.callbacks]
    litellm.callbacks = [*litellm.callbacks, Callback()]
    litellm.success_callback = [*litellm.success_callback, plain]
    litellm.failure_callback = [*litellm.failure_callback, plain]
    yield told
    for name, callbacks in kept.items():
        setattr(litellm, name, callbacks)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tracebacks that are written out."""
    written: list[str] = []
    write = traceback.format_exc

    def noted() -> str:
        written.append(text := write())
        return text

    monkeypatch.setattr(traceback, "format_exc", noted)
    monkeypatch.setattr("agentflow_dagster.models.turns._FIRST_REST", 0.01)
    return written


@pytest.mark.parametrize("provider", MODELS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("end", ENDS)
async def test_nobody_is_told_how_our_calls_went(
    told: Told, written: list[str], provider: str, streamed: bool, end: str
) -> None:
    with ModelServer([ENDS[end]]) as server:
        request = ModelRequest((Message("user", "Hello?"),), model=MODELS[provider])
        try:
            await ModelPlane(server.environment(provider)).complete(
                request, Ear() if streamed else None
            )
        except ModelError:
            assert end != "answered"
        assert written == []
        await _is_asked_by_somebody_else(server, streamed=streamed)
    # Reports are made one after the other: one of ours would have come before.
    await asyncio.wait_for(told.something.wait(), 10)
    ((how, why),) = told.ends
    assert how == ("answered" if end == "answered" else "failed")
    assert ("Traceback" in why) is (end != "answered")
    assert "Anybody?" in await asyncio.to_thread(told.in_threads.get, timeout=10)
    assert told.in_threads.empty()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_nobody_but_us_prices_our_calls(
    told: Told, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    library: Any = load_litellm()
    price, priced = library.response_cost_calculator, list[str]()

    def noted(*args: object, **options: object) -> float:
        priced.append("priced")
        return price(*args, **options)

    monkeypatch.setattr(library, "response_cost_calculator", noted)
    with ModelServer([Answer("Hello there.")]) as server:
        request = ModelRequest((Message("user", "Hello?"),), model=MODELS["openai"])
        plane = ModelPlane(server.environment("openai"))
        reply = await plane.complete(request, Ear() if streamed else None)
        assert reply.usage.cost_usd
        assert priced == []
        await _is_asked_by_somebody_else(server, streamed=streamed)
    await asyncio.wait_for(told.something.wait(), 10)
    assert priced


@pytest.mark.parametrize("provider", ASKING)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_no_server_is_asked_about_a_model(
    monkeypatch: pytest.MonkeyPatch, provider: str, streamed: bool
) -> None:
    """LiteLLM would ask Hugging Face's site, and whatever listens where Ollama usually does."""
    library: Any = load_litellm()
    asked = list[str]()

    def ask(url: str, **_: object) -> None:
        asked.append(url)
        raise ConnectionError

    monkeypatch.setattr(library.module_level_client, "get", ask)
    monkeypatch.setattr(library.module_level_client, "post", ask)
    tools = (ToolSpec("look_up", "Looks up.", {"type": "object", "properties": {}}),)
    with ModelServer([Answer("Hello there.")]) as server:
        request = ModelRequest((Message("user", "Hello?"),), model=ASKING[provider], tools=tools)
        plane = ModelPlane(server.environment(provider))
        await plane.complete(request, Ear() if streamed else None)
    assert asked == []
    library.supports_function_calling(ASKING[provider])
    assert asked != []  # By others it is, as before.


async def _is_asked_by_somebody_else(server: ModelServer, *, streamed: bool) -> None:
    litellm: Any = load_litellm()
    set_up = server.environment("openai")
    try:
        reply = await litellm.acompletion(
            model=MODELS["openai"],
            messages=[{"role": "user", "content": "Anybody?"}],
            api_base=set_up["OPENAI_BASE_URL"],
            api_key=set_up["OPENAI_API_KEY"],
            max_retries=0,
            stream=streamed,
        )
        if streamed:
            async for _ in reply:
                pass
    except Exception:  # noqa: BLE001 - LiteLLM raises much more than its own
        return
