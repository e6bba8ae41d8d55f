"""Which names a star import makes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.notebook.flow.stars import public_names

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("module", "has"),
    [("math", "pi"), ("string", "digits"), ("os.path", "join"), ("_heapq", "heapify")],
)
def test_the_standard_library(module: str, has: str) -> None:
    names = public_names(module)
    assert names is not None
    assert has in names


@pytest.mark.parametrize("module", ["no_such_module", "math.deeper", ".relative", ""])
def test_what_cannot_be_found(module: str) -> None:
    assert public_names(module) is None


def test_a_module_is_read_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "af_star_plain.py").write_text("import os\ndef f(): pass\n_x = 1\nY = 2\n1 / 0\n")
    (tmp_path / "af_star_listed.py").write_text("__all__ = ['a']\n__all__ += ['b']\nc = 1\n1 / 0\n")
    (tmp_path / "af_star_package").mkdir()
    (tmp_path / "af_star_package" / "__init__.py").write_text("1 / 0\n")
    (tmp_path / "af_star_package" / "inner.py").write_text("z = 1\n")
    (tmp_path / "af_star_broken.py").write_text("z = (\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert public_names("af_star_plain") == ("Y", "f", "os")
    assert public_names("af_star_listed") == ("a", "b")
    assert public_names("af_star_package.inner") == ("z",)
    assert public_names("af_star_broken") is None
    assert not any(name.startswith("af_star") for name in sys.modules)
