"""The map is true to the house: rooms and files that it names exist, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.tracked import ROOT, tracked_files

MAP = ROOT / "docs" / "ARCHITECTURE.md"
_ROOM = re.compile(r"^\| \d \| `(\w+)/` \|.*\|(.*)\|$", re.MULTILINE)
_CODE = re.compile(r"`([\w/]+\.py)`")
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


def test_every_room_is_on_the_map() -> None:
    rooms = {
        path.relative_to(ROOT).parts[1]
        for path in tracked_files("agentflow_dagster/*/*.py")
        if path.stat().st_size
    }
    assert {room for room, _ in _ROOM.findall(MAP.read_text())} == rooms


def test_where_to_look_first_exists() -> None:
    missing = [
        f"{room}/{name}"
        for room, first in _ROOM.findall(MAP.read_text())
        for name in _CODE.findall(first)
        if not (ROOT / "agentflow_dagster" / room / name).is_file()
    ]
    assert not missing


def test_files_that_the_map_names_exist() -> None:
    tracked = [str(path) for path in tracked_files("*.py")]
    named = set(_CODE.findall(MAP.read_text()))
    assert named
    assert not [name for name in named if not any(path.endswith(f"/{name}") for path in tracked)]


@pytest.mark.parametrize("page", [str(p.relative_to(ROOT)) for p in tracked_files("*.md")])
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    targets: list[str] = _LINK.findall((ROOT / page).read_text())
    assert not [target for target in targets if not Path(folder, target).exists()]
