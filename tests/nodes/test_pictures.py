"""Images that models are shown."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.ai_chat import Chat, ChatConfig
from agentflow_dagster.nodes.pictures import images
from agentflow_dagster.ports.model import Image
from agentflow_dagster.spec.values import pack
from tests.support.contexts import SmallModel, context
from tests.support.documents import minimal
from tests.support.in_memory import InMemory
from tests.support.tool_agent import Talker, says, tool

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.spec.values import JsonObject

PNG = b"\x89PNG\r\n\x1a\nrest"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPrest", "image/webp"),
        (b"GIF89arest", "image/gif"),
    ],
)
async def test_the_bytes_say_what_it_is(data: bytes, media_type: str) -> None:
    assert await images(context(), [pack(data)]) == (Image(media_type, data),)


async def test_files_of_the_data_folder_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "front.jpg").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    here = replace(context(), data=folder)
    assert (await images(here, ["front.jpg"]))[0].media_type == "image/png"
    for path in ("../secret.png", "link.png", "none.png", str(tmp_path / "secret.png")):
        with pytest.raises(RunError, match="no file"):
            await images(here, [path])
    with pytest.raises(RunError, match="no data folder"):
        await images(context(), ["front.jpg"])


async def test_nothing_else_is_shown_and_not_too_much(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no PNG"):
        await images(context(), [pack(b"%PDF-1.7")])
    large = pack(PNG + bytes(10_000_000))
    with pytest.raises(RunError, match="more than 20 MB"):
        await images(context(), [large, large])
    with (tmp_path / "huge.png").open("wb") as file:
        file.write(PNG)
        file.truncate(10**12)
    with pytest.raises(RunError, match="more than 20 MB"):
        await images(replace(context(), data=tmp_path), ["huge.png"])


async def test_a_chat_shows_them() -> None:
    model = SmallModel()
    config = ChatConfig.model_validate({"prompt": "What is it?", "images": [pack(PNG)]})
    await Chat().run(context(model=model), config)
    assert model.requests[0].messages[-1].images == (Image("image/png", PNG),)


async def test_an_agent_shows_them_at_each_turn() -> None:
    helper: JsonObject = {
        "kind": "ai.agent",
        "with": {"prompt": "?", "images": ["{{load.output.p}}"], "tools": {"double": tool()}},
    }
    load: JsonObject = {
        "kind": "code.python",
        "with": {"code": f"p = {PNG!r}", "outputs": ["p"]},
    }
    here = InMemory(model=Talker(replies=deque([says("", ("double", {"n": 1})), says("ok")])))
    done = await here.run(minimal({"load": load, "helper": helper}))
    assert cast("Any", done.outputs["helper"].value)["text"] == "ok"
    for request in here.model.requests:
        (asked,) = [m for m in request.messages if m.role == "user"]
        assert asked.images == (Image("image/png", PNG),)
