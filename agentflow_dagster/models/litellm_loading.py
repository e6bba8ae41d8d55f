"""Imports LiteLLM, once, and keeps it quiet."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import contextmanager
from functools import cache, lru_cache
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import ModuleType

_OF_THE_PRICE_LIST = frozenset({"openai", "anthropic", "gemini", "cohere", "cohere_chat"})
"""Providers of whose models LiteLLM knows what its list of prices says."""

_ASKED_ABOUT_MODELS = frozenset({"ollama", "ollama_chat", "huggingface"})
"""Providers that LiteLLM asks what a model is, twice before each call: whatever listens at Ollama's
usual address, with the environment's key, and huggingface.co."""

_PRICES_CHANGED = "_invalidate_model_cost_lowercase_map"
"""What LiteLLM calls where its list of prices has changed."""


@cache
def load_litellm() -> ModuleType:
    """The library, told to keep quiet and to use the prices that it ships with.

    The first call takes seconds: in an event loop, make it in a thread.
    """
    # Read at import: without it LiteLLM asks the network for newer prices first.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    library: Any = litellm
    library.suppress_debug_info = True
    library.disable_hf_tokenizer_download = True  # Nothing is fetched but answers.
    # It would give up a stream that says the same piece a hundred times; calls are bounded anyway.
    library.REPEATED_STREAMING_CHUNK_LIMIT = sys.maxsize
    # httpx closes its connections; those of aiohttp are left open when a call is given up.
    library.disable_aiohttp_transport = True
    _have_it_try_once()
    _have_it_write_no_tracebacks()
    _have_it_keep_clients_apart()
    _have_it_look_models_up_once()
    _have_it_price_nothing()
    _have_it_tell_no_callbacks()
    # Its warnings are about its own logging queue, which we do not use.
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    return library


@contextmanager
def unreported() -> Generator[None]:
    """LiteLLM writes no report of the calls within, priced and with tracebacks: it is for callbacks
    that we do not have, and takes longer than a fallback may."""
    from litellm._internal_context import is_internal_call

    before = is_internal_call.set(True)
    try:
        yield
    finally:
        is_internal_call.reset(before)


async def close_connections() -> None:
    """Closes the connections that LiteLLM keeps for the event loop that runs: for whoever ends it,
    since nobody can close them later."""
    if "litellm" not in sys.modules:
        return
    cache: Any = load_litellm().in_memory_llm_clients_cache
    here: str = cache.update_cache_key_with_event_loop("")
    for key in [key for key in cache.cache_dict if key.endswith(here)]:
        client = cache.cache_dict.pop(key)
        cache.ttl_dict.pop(key, None)
        await client.close()


def _have_it_try_once() -> None:
    """Keeps LiteLLM from making a call a second time, behind the back of whoever pays for it: where
    a connection ends in the middle of a reply, it would ask again on another."""
    import httpx
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

    async def not_again(_: object, *, url: str, **__: object) -> None:
        # What has happened is the context of this error.
        raise httpx.RemoteProtocolError(
            "The connection ended before the reply did.", request=httpx.Request("POST", url)
        )

    handler: Any = AsyncHTTPHandler
    handler.single_connection_post_request = not_again


def _have_it_write_no_tracebacks() -> None:
    """Keeps LiteLLM from writing out an error's traceback where nobody reads it: it does so before
    it looks whether it reports a call, and that is a third of the time until the next provider is
    asked. Of other calls in this process it does."""
    import traceback

    from litellm import utils
    from litellm._internal_context import is_internal_call
    from litellm.litellm_core_utils import streaming_handler

    def format_exc() -> str:
        return "" if is_internal_call.get() else traceback.format_exc()

    told = SimpleNamespace(**vars(traceback) | {"format_exc": format_exc})
    for module in (utils, streaming_handler):
        vars(module)["traceback"] = told


def _have_it_keep_clients_apart() -> None:
    """Keeps LiteLLM from using a connection of an event loop that has ended: its client for streams
    serves all loops, and its others are known by their loop's address, which the next one takes."""
    import litellm
    from litellm.caching.llm_caching_handler import LLMClientCache

    library: Any = litellm
    numbers: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
    upwards = count(1)

    def of_this_loop(_: object, key: str) -> str:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return key
        if loop not in numbers:
            numbers[loop] = next(upwards)
        return f"{key}-{numbers[loop]}"

    cache: Any = LLMClientCache
    cache.update_cache_key_with_event_loop = of_this_loop
    library.module_level_aclient = _ClientOfTheLoop()


class _ClientOfTheLoop:
    """The client of the event loop that runs, wherever LiteLLM takes the one of its module."""

    def __getattr__(self, name: str) -> object:
        from litellm.llms.custom_httpx import http_handler

        clients: Any = http_handler
        return getattr(clients.get_async_httpx_client("module_level"), name)


def _have_it_look_models_up_once() -> None:
    """Keeps LiteLLM from reading what it knows of a model eight times a call, each time anew, and
    from asking servers about models before calls of ours. It forgets what it has read where it is
    told new prices, as it does what it keeps itself."""
    from litellm import utils
    from litellm._internal_context import is_internal_call
    from litellm.exceptions import ModelNotMappedError

    inside = cast("dict[str, Any]", vars(utils))
    look_up, forget = inside["get_model_info_helper"], inside[_PRICES_CHANGED]
    known = lru_cache(maxsize=256)(look_up)

    def copied(
        model: str,
        custom_llm_provider: str | None = None,
        api_base: str | None = None,
        api_key: str | None = None,
    ) -> dict[str, Any]:
        if custom_llm_provider in _ASKED_ABOUT_MODELS and is_internal_call.get():
            raise ModelNotMappedError(model)  # As of any model that it does not know.
        if custom_llm_provider not in _OF_THE_PRICE_LIST or api_key is not None:
            return look_up(model, custom_llm_provider, api_base, api_key)
        return dict(known(model, custom_llm_provider, api_base))

    def forget_both() -> None:
        known.cache_clear()
        forget()

    inside[_PRICES_CHANGED] = forget_both
    for namespace in (inside, vars(sys.modules["litellm.main"])):
        namespace["get_model_info_helper"] = copied


def _have_it_price_nothing() -> None:
    """Keeps LiteLLM from pricing replies to us, which `pricing.py` does. Streams it would price
    before it hands on their first piece, reading a tokenizer for that (0.6 s) the first time."""
    _of_others_only("response_cost_calculator", instead=None)


def _have_it_tell_no_callbacks() -> None:
    """Keeps LiteLLM from handing calls of ours to callbacks that are plain functions, or services
    that it knows: others are not told of what it takes for its own calls."""
    for ended in ("", "_failure"):
        _of_others_only(f"_should_run_sync{ended}_callbacks_for_async_calls", instead=False)


def _of_others_only(method: str, *, instead: object) -> None:
    """Of LiteLLM's record of a call: what it does beside the calls that are not ours."""
    from litellm._internal_context import is_internal_call
    from litellm.litellm_core_utils.litellm_logging import Logging

    does = getattr(Logging, method)

    def of_others(self: object, *args: object, **options: object) -> object:
        return instead if is_internal_call.get() else does(self, *args, **options)

    setattr(Logging, method, of_others)
