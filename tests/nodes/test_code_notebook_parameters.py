"""What `code.notebook` hands a notebook: judged first, and in the names that it has for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.code_notebook import Notebook, NotebookConfig
from agentflow_dagster.notebook import PapermillNotebooks
from tests.support.contexts import context

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"limit": "four"}, "'limit' does not fit: 'four' is not of type 'integer'"),
        ({"limt": 4}, "no parameter 'limt'. Did you mean 'limit'"),
        ({}, "needs its parameter 'who'"),
        ({"who": "a", "class": 1}, "no parameter 'class'|'class' is no name"),
    ],
)
async def test_parameters_are_judged_before_a_kernel_is_asked_for(
    write: Any, folder: Path, given: dict[str, Any], told: str
) -> None:
    name = write("who: str\nlimit: int = 2  # how many", "1")
    notebooks = PapermillNotebooks(folder, None, "/nowhere/but/a/kernel/would/be/started")
    config = NotebookConfig(notebook=name, parameters=given)
    kernels = threading.active_count()
    with pytest.raises(RunError, match=told) as caught:
        await Notebook().run(context(notebooks=notebooks), config)
    assert not caught.value.retryable
    assert threading.active_count() == kernels


def test_a_parameter_is_a_name() -> None:
    with pytest.raises(ValueError, match="parameters"):
        NotebookConfig.model_validate({"notebook": "a.ipynb", "parameters": {"x = 1; y": 2}})


async def test_the_partition_reaches_its_parameters(run: Any, write: Any) -> None:
    name = write("partition_key: str = ''\npartition_start: str = ''\nlimit = 1", "1")
    partition = {"partition": "2026-01-02", "partition_start": "2026-01-02T00:00:00+00:00"}
    names = ["partition_key", "partition_start"]
    output = await run(name, partition=partition, outputs=names)
    assert output["partition_key"] == "2026-01-02"
    assert output["partition_start"] == "2026-01-02T00:00:00+00:00"
    own = await run(name, partition=partition, outputs=names, parameters={"partition_key": "x"})
    assert own["partition_key"] == "x"


WIDGETS = """\
import datetime
import ipywidgets as widgets
limit = widgets.IntSlider(value=10, min=0, max=100)
share = widgets.FloatSlider(value=0.5, min=0, max=1)
region = widgets.Dropdown(options=["north", "south"])
dry = widgets.Checkbox(value=True)
note = widgets.Text(value="none")
day = widgets.DatePicker(value=datetime.date(2026, 1, 1))
"""
SHOWN = """\
from IPython.display import display
display(limit, region)
given = [limit.value, share.value, region.value, dry.value, note.value, day.value.isoformat()]
"""


async def test_widgets_are_parameters_and_have_their_values(run: Any, write: Any) -> None:
    name = write(WIDGETS, SHOWN)
    given = {
        "limit": 5,
        "share": 1,
        "region": "south",
        "dry": False,
        "note": "it's\nhere",
        "day": "2026-02-03",
    }
    output = await run(name, parameters=given, outputs=["given"])
    assert output["given"] == [5, 1.0, "south", False, "it's\nhere", "2026-02-03"]
    untouched = await run(name, outputs=["given"])
    assert untouched["given"] == [10, 0.5, "north", True, "none", "2026-01-01"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"limit": 101}, "'limit' does not fit: 101 is greater than the maximum of 100"),
        ({"region": "east"}, "'region' does not fit: 'east' is not one of"),
        ({"dry": "yes"}, "'dry' does not fit: 'yes' is not of type 'boolean'"),
    ],
)
async def test_what_a_widget_does_not_take(
    run: Any, write: Any, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(RunError, match=told):
        await run(write(WIDGETS, SHOWN), parameters=given)
