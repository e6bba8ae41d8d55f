"""What stock papermill puts in, where the extension is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.jupyter.conftest import Kernel


def test_a_widget_keeps_its_place_and_has_the_value(kernel: Kernel) -> None:
    kernel.run(
        "import ipywidgets as widgets\nlimit = widgets.IntSlider(value=1)\n"
        "day = widgets.DatePicker()\nname = 'x'"
    )
    injected = '# Parameters\nlimit = 5\nday = "2026-01-02"\nname = "y"\n'
    assert kernel.run(injected).error == ""
    assert kernel.run("print(limit.value, day.value, name)").text == "5 2026-01-02 y\n"
    assert kernel.run("limit = 7").error == ""
    assert kernel.run("print(limit)").text == "7\n", "the author's own cells mean what they say"
