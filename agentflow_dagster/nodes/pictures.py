"""Images that a model is shown: bytes of other nodes, or files of the data folder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import AfterValidator, WithJsonSchema

from agentflow_dagster.errors import RunError
from agentflow_dagster.ports.model import Image
from agentflow_dagster.spec.values import BYTES, Part

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agentflow_dagster.ports.kind import NodeContext

MOST = 20
"""Images that one call shows."""
MOST_BYTES = 20_000_000
"""Of all of them together."""

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def _shown(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, Part) and value.media_type == BYTES):
        return value
    raise ValueError("input should be bytes, or the path of a file in the data folder")


Picture = Annotated[Any, AfterValidator(_shown), WithJsonSchema({})]
"""`{{load.output.photo}}`, which gives bytes, or `photos/front.jpg`."""

PICTURES = (
    "Images that are shown with the prompt: bytes, or files of the data folder by their paths. "
    "PNG, JPEG, WebP or GIF; at most 20, and 20 MB in all."
)


async def images(context: NodeContext, given: Sequence[object]) -> tuple[Image, ...]:
    """The images that a config names.

    Raises:
        RunError: one is not there, or is of another form; or there are too many, or too large.
    """
    return await asyncio.to_thread(_images, context, given) if given else ()


def _images(context: NodeContext, given: Sequence[object]) -> tuple[Image, ...]:
    found: list[Image] = []
    left = MOST_BYTES
    for number, one in enumerate(given):
        data = one.data if isinstance(one, Part) else _read(context, cast("str", one), most=left)
        left -= len(data)
        if left < 0:
            raise _too_large(context)
        media_type = _media_type(data)
        if media_type is None:
            name = repr(one) if isinstance(one, str) else f"image {number}"
            raise RunError(
                f"{name} of {context.node!r} is no PNG, JPEG, WebP or GIF.",
                hint="Convert it where it comes from.",
                retryable=False,
            )
        found.append(Image(media_type, data))
    return tuple(found)


def _media_type(data: bytes) -> str | None:
    """Of what its first bytes say that it is, whatever it is called."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((told for begin, told in _SIGNATURES.items() if data.startswith(begin)), None)


def _read(context: NodeContext, path: str, *, most: int) -> bytes:
    if context.data is None:
        raise RunError(
            f"{context.node!r} reads {path!r}, and no data folder is set.", retryable=False
        )
    folder = context.data.resolve()
    found: Path = (folder / path).resolve()
    if not found.is_relative_to(folder) or not found.is_file():
        raise RunError(
            f"There is no file {path!r} in the data folder.",
            hint="Give its path under the project's data folder, such as photos/front.jpg.",
            retryable=False,
        )
    with found.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise _too_large(context)
    return data


def _too_large(context: NodeContext) -> RunError:
    return RunError(
        f"The images of {context.node!r} are more than {MOST_BYTES // 1_000_000} MB.",
        hint="Make them smaller before.",
        retryable=False,
    )
