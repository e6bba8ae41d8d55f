"""Mends in an agent's file what is safe to mend."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.check import check_file, check_text
from agentflow_dagster.spec.yaml_fix import carried_out

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.operations.check import CheckedFile
    from agentflow_dagster.spec.kind import Catalogue

_ROUNDS = 5
"""A mended field may bring its own problems to light, and these their fixes."""


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done to a file.

    Args:
        text: What it says now.
        diff: The change, as `diff -u` tells it; "" where there is none.
    """

    text: str
    diff: str


def mend_file(path: Path, kinds: Catalogue, *, write: bool) -> Mended:
    """Carries out the fixes of a file's diagnostics; a notebook is left as it is.

    Args:
        path: YAML or JSON.
        kinds: Every node kind known here.
        write: Whether the file is changed, or the change only told.

    Raises:
        UsageError: there is no such file, or it cannot be written.
    """
    before = check_file(path, kinds).text
    if path.suffix == ".ipynb":
        return Mended(before, "")
    mended = mend_text(before, kinds, file=str(path))
    if write and mended.diff:
        mark = codecs.BOM_UTF8 if path.read_bytes().startswith(codecs.BOM_UTF8) else b""
        try:
            path.write_bytes(mark + mended.text.encode())
        except OSError as problem:
            message = f"{str(path)!r} cannot be written: {problem.strerror}."
            raise UsageError(message) from None
    return mended


def mend_text(text: str, kinds: Catalogue, *, file: str) -> Mended:
    """Carries out the fixes of a text of YAML or JSON; comments, order and spacing stay."""
    checked = check_text(text, kinds, file=file)
    for _ in range(_ROUNDS):
        better = _round(checked, kinds)
        if better is None:
            break
        checked = better
    lines = unified_diff(text.splitlines(), checked.text.splitlines(), file, file, lineterm="")
    return Mended(checked.text, "".join(f"{line}\n" for line in lines))


def _round(checked: CheckedFile, kinds: Catalogue) -> CheckedFile | None:
    """The file with its fixes carried out; None where it has none, or is no better for them."""
    fixes = [d.fix for d in checked.diagnostics if d.fix is not None]
    text = carried_out(checked.text, fixes) if fixes else checked.text
    if text == checked.text:
        return None
    after = check_text(text, kinds, file=checked.file)
    # What could be read before has to be readable still.
    if after.agent is None and {d.code for d in after.diagnostics} & {"AF101", "AF102", "AF107"}:
        return None
    return after
