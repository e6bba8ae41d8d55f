"""What cannot pass is named, with what to pass instead."""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pandas as pd
import pytest
from pydantic import BaseModel

from agentflow_dagster.errors import ValueNotStorable
from agentflow_dagster.spec.values import pack


@dataclass
class Row:
    n: int


class Model(BaseModel):
    n: int


class Colour(Enum):
    RED = "red"


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ((1, 2), "list(value)"),
        (Pair(1, 2), "_asdict()"),
        ({1}, "sorted(value)"),
        (1j, "value.real"),
        (lambda: 1, "setup cell"),
        (Row, "setup cell"),
        (re, "Import it in a setup cell"),
        ((n for n in [1]), "list(value)"),
        (range(3), "list(value)"),
        ({}.keys(), "list(value)"),
        (deque([1]), "list(value)"),
        (datetime.now(UTC), "datetime.fromisoformat"),
        (date(2024, 1, 1), "date.fromisoformat"),
        (time(1), "time.fromisoformat"),
        (timedelta(1), "total_seconds()"),
        (Decimal(1), "make a Decimal"),
        (UUID(int=1), "make a UUID"),
        (Path("a"), "str(value)"),
        (Colour.RED, "value.value"),
        (Row(1), "dataclasses.asdict(value), or register"),
        (Model(n=1), 'model_dump(mode="json"), or register'),
        (re.compile("a"), "value.pattern"),
        (threading.Lock(), "in the node that uses it"),
        (pd.Index([1]), "tolist()"),
        (object(), "register the type"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_variable_is_named_and_what_to_do(value: object, said: str) -> None:
    with pytest.raises(ValueNotStorable) as caught:
        pack({"given": [value]})
    assert str(caught.value).startswith(f"given[0] is a {type(value).__qualname__}, which cannot")
    assert said in caught.value.hint


def test_a_file_that_is_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with (tmp_path / "a").open() as file, pytest.raises(ValueNotStorable, match="or its path"):
        pack({"f": file})
