"""Engines that are killed and started again on a database, and a ledger that they write to."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.ledger import Ledger
from tests.faults.rig import Rig
from tests.orchestration.conftest import bench, lasting_bench

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.orchestration.bench import Bench

__all__ = ["bench", "lasting_bench"]


@pytest.fixture
def rig(bench: Bench, ledger: Ledger) -> Generator[Rig]:
    # Not below pytest's folder: the name of a socket is short.
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    made = Rig(bench, folder / "engine", ledger.variables)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture
def ledger() -> Generator[Ledger]:
    with Ledger() as opened:
        yield opened
