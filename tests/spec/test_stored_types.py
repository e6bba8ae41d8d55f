"""Registered types: what they give is stored, and made into values again where they are known."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import pytest

from agentflow_dagster import register_type
from agentflow_dagster.errors import RunError, TypeNotKnown, UsageError, ValueNotStorable
from agentflow_dagster.spec import stored_types
from agentflow_dagster.spec.values import TYPED, Part, join, pack, split, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Money:
    amount: str
    currency: str = "EUR"


@dataclass
class Report:
    rows: Any
    total: Money
    raw: bytes = b"\0\xff"
    more: list[str] = field(default_factory=lambda: ["a"])


class Bag(dict[str, int]):
    pass


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    before = dict(stored_types._registered)  # pyright: ignore[reportPrivateUsage]
    yield
    stored_types._registered.clear()  # pyright: ignore[reportPrivateUsage]
    stored_types._registered.update(before)  # pyright: ignore[reportPrivateUsage]


def _money() -> None:
    register_type(Money, store=vars, restore=lambda given: Money(**given))


def _through(obj: object) -> Any:
    return unpack(join(*split(pack(obj))))


def test_a_value_of_json_passes_and_expressions_see_it() -> None:
    _money()
    part = pack(Money("3.50"))
    assert isinstance(part, Part)
    assert part.media_type == TYPED
    assert part.summary == {"type": "Money", "value": {"amount": "3.50", "currency": "EUR"}}
    assert _through({"m": [Money("1")]}) == {"m": [Money("1")]}


def test_tables_bytes_and_other_registered_types_in_one() -> None:
    _money()
    register_type(Report, name="acme.report", store=vars, restore=lambda given: Report(**given))
    frame = pd.DataFrame({"n": [1, 2]})
    back = _through(Report(frame, Money("9")))
    pd.testing.assert_frame_equal(back.rows, frame)
    assert (back.total, back.raw, back.more) == (Money("9"), b"\0\xff", ["a"])


def test_a_registered_mapping_is_not_taken_for_an_object() -> None:
    register_type(Bag, store=dict, restore=Bag)
    assert type(_through(Bag(a=1))) is Bag


def test_a_cell_that_is_run_again_takes_the_place_of_what_it_registered() -> None:
    _money()
    again = type("Money", (), {})
    register_type(again, store=lambda _: 1, restore=lambda _: cast("Any", "new"))
    assert _through(again()) == "new"
    with pytest.raises(ValueNotStorable, match=r"dataclasses\.asdict"):
        pack({"m": Money("1")})


def test_a_type_that_is_not_known_here_is_named() -> None:
    _money()
    part = pack(Money("1"))
    stored_types._registered.clear()  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(TypeNotKnown, match=r"'Money', which is not known here.*register_type"):
        unpack(part)


def test_store_and_restore_that_fail_are_told_with_the_variable() -> None:
    register_type(Money, store=lambda _: 1 / 0, restore=lambda _: Money(""))
    with pytest.raises(ValueNotStorable, match=r"^price\[0\] is a Money .*ZeroDivisionError"):
        pack({"price": [Money("1")]})
    register_type(Money, store=lambda _: {"x": {1}}, restore=lambda _: Money(""))
    with pytest.raises(ValueNotStorable, match=r"^price\.Money\.x is a set"):
        pack({"price": Money("1")})
    register_type(Money, store=vars, restore=lambda _: Money(str(1 / 0)))
    with pytest.raises(RunError, match=r"'Money' cannot be restored: ZeroDivisionError"):
        unpack(pack(Money("1")))


@pytest.mark.parametrize(("type_", "name"), [(Money, "no name"), (dict, ""), (int, "")])
def test_what_cannot_be_registered(type_: type, name: str) -> None:
    with pytest.raises(UsageError):
        register_type(type_, name=name, store=vars, restore=lambda given: given)


def test_an_installed_package_gives_a_type_to_every_process(tmp_path: Path) -> None:
    info = tmp_path / "acme-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[agentflow.types]\npoint = acme:POINT\n")
    (tmp_path / "acme.py").write_text(
        "from agentflow_dagster import StoredType\n"
        "class Point:\n    def __init__(self, x): self.x = x\n"
        "POINT = StoredType(Point, 'acme.point', lambda p: p.x, Point)\n"
    )
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from agentflow_dagster.spec.values import pack, unpack\n"
        "import acme\n"
        "part = pack({'p': acme.Point(5)})\n"
        "print(part['p'].summary, unpack(part)['p'].x)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "{'type': 'acme.point', 'value': 5} 5"
