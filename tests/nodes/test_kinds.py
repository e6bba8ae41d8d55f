"""The catalogue of node kinds: what ships, and what plugins add."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.nodes import ENTRY_POINT, all_kinds, builtin_kinds, installed_plugins
from agentflow_dagster.nodes.ai_chat import Chat

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Shout(Chat):
    name = "text.shout"


class NoKind:
    name = "text.none"


class Broken:
    def __init__(self) -> None:
        raise OSError("a library is missing")


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[type], None]]:
    """Installs one entry point in place of those that are there."""

    def install(kind: type) -> None:
        entry = EntryPoint("mine", f"{kind.__module__}:{kind.__name__}", ENTRY_POINT)
        monkeypatch.setattr(EntryPoint, "load", lambda _: kind)
        monkeypatch.setattr(
            "importlib.metadata.entry_points",
            lambda *, group: [entry] if group == ENTRY_POINT else [],
        )
        installed_plugins.cache_clear()

    yield install
    installed_plugins.cache_clear()


@pytest.mark.parametrize("name", sorted(builtin_kinds()))
def test_every_kind_says_what_it_is(name: str) -> None:
    kind = builtin_kinds()[name]
    assert kind.name == name
    assert kind.family == name.partition(".")[0]
    assert kind.summary.endswith(".")
    fields = {field.alias for field in kind.config.model_fields.values()}
    assert kind.fixed <= fields
    assert kind.programs <= fields


def test_a_plugin_adds_its_kind(plugin: Callable[[type], None]) -> None:
    plugin(Shout)
    assert set(all_kinds()) == {*builtin_kinds(), "text.shout"}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Broken, "cannot be loaded: OSError('a library is missing')"),
        (NoKind, "is no node kind"),
        (Chat, "takes 'ai.chat', which exists"),
    ],
)
def test_a_plugin_that_cannot_be_used(
    plugin: Callable[[type], None], kind: type, message: str
) -> None:
    plugin(kind)
    with pytest.raises(UsageError) as caught:
        all_kinds()
    assert message in str(caught.value)
