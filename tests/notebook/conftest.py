"""Notebooks written down as text: `--- tags` begins a code cell, `--- markdown` one of prose.

A line `~~~` stands for one of `---` in a cell."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.notebook import read_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.spec.diagnostics import Diagnostic, Position
    from agentflow_dagster.spec.values import JsonObject


@dataclass(frozen=True)
class Reading:
    """What `read_agent` gave."""

    document: JsonObject | None
    positions: Mapping[str, Position]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def codes(self) -> list[str]:
        return [d.code for d in self.diagnostics]

    def only(self, code: str) -> Diagnostic:
        assert self.codes == [code], [str(d) for d in self.diagnostics]
        return self.diagnostics[0]


class Read(Protocol):
    def __call__(self, text: str, *, settings: object = None, file: str = ...) -> Reading: ...


def notebook_json(text: str, settings: object = None) -> str:
    """The .ipynb text of a notebook."""
    cells: list[object] = []
    for index, part in enumerate(text.removeprefix("---").split("\n---")):
        tags, _, source = part.partition("\n")
        source = re.sub(r"^~~~$", "---", source, flags=re.MULTILINE)
        prose = tags.strip() == "markdown"
        cells.append(
            {
                "cell_type": "markdown" if prose else "code",
                "id": f"c{index}",
                "metadata": {} if prose else {"tags": tags.split()},
                "source": source.splitlines(keepends=True),
                **({} if prose else {"outputs": [], "execution_count": None}),
            }
        )
    metadata = {} if settings is None else {"agentflow": settings}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells})


@pytest.fixture
def to_ipynb() -> Callable[[str], str]:
    return notebook_json


@pytest.fixture
def read() -> Read:
    def call(text: str, *, settings: object = None, file: str = "total.ipynb") -> Reading:
        text = notebook_json(text, settings)
        return Reading(*read_agent(text, file=file, kinds=builtin_kinds()))

    return call
