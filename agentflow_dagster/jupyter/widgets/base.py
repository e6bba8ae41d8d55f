"""What all widgets share: the bundle that draws them, and a picture where it cannot."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, ClassVar, cast

import anywidget
import traitlets

from agentflow_dagster.jupyter.front_end import has_front_end

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.spec.values import JsonObject

    MimeBundle = tuple[dict[str, Any], dict[str, Any]]
    """Data and metadata by media type."""

JsonList = cast("type[traitlets.List[Any]]", traitlets.List)
"""A trait that holds a list of JSON values."""

NOT_BUILT = "The live view was not built: `make environment` in AgentFlow's repository builds it."


class NotebookWidget(anywidget.AnyWidget):  # pyright: ignore[reportUntypedBaseClass]
    """Base of the widgets: traits whose names end in no underscore are what its part of the
    bundle draws.

    Class attributes:
        part: The part of the bundle, by its name in `extensions/graph/src/widget.tsx`.
    """

    part: ClassVar[str]

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    _part = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: object) -> None:
        code, style = _bundle()
        super().__init__(_esm=code, _css=style, _part=self.part, **traits)
        cast("Any", self).on_msg(self._heard)

    def asked(self, content: JsonObject) -> None:
        """Does what somebody asked for in the front end; `do` says what."""

    def as_text(self) -> str:
        """What it shows, as text."""
        raise NotImplementedError

    def as_picture(self) -> Mapping[str, str]:
        """What it shows, by media type, for front ends that run nothing."""
        raise NotImplementedError

    def shown(self) -> MimeBundle:
        """What a cell shows: live where somebody sits at it, and a picture for all others."""
        text, picture = self.as_text(), dict(self.as_picture())
        built = bool(_bundle()[0])
        if not built:
            text = f"{text}\n{NOT_BUILT}"
        if not (built and has_front_end()):
            return {"text/plain": text, **picture}, {}
        live = cast("MimeBundle", cast("Any", super())._repr_mimebundle_())
        return {**live[0], "text/plain": text, **picture}, live[1]

    def _repr_mimebundle_(self, **options: dict[str, object]) -> MimeBundle:
        return self.shown()

    def _heard(self, _: object, content: object, __: object) -> None:
        self.asked(cast("JsonObject", content))


@cache
def _bundle() -> tuple[str, str]:
    """The program and the style; "" where they were not built."""
    folder = resources.files("agentflow_dagster.jupyter") / "static"
    found = [folder / name for name in ("graph.js", "graph.css")]
    if not all(file.is_file() for file in found):
        return "", ""
    return found[0].read_text("utf-8"), found[1].read_text("utf-8")
