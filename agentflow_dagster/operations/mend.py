"""Mends in an agent's file what is safe to mend."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING

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
        diff: The change, as `diff -u` tells it; "" where there is none.
        fixed: How many problems were mended.
    """

    diff: str
    fixed: int


def mend_file(path: Path, kinds: Catalogue, *, write: bool) -> Mended:
    """Carries out the fixes of a file's diagnostics; comments, order and spacing stay.

    A notebook is left as it is: its cells are its author's.

    Args:
        path: YAML or JSON.
        kinds: Every node kind known here.
        write: Whether the file is changed, or the change only told.

    Raises:
        UsageError: there is no such file.
    """
    checked = check_file(path, kinds)
    if path.suffix == ".ipynb":
        return Mended("", 0)
    before, fixed = checked.text, 0
    for _ in range(_ROUNDS):
        better = _round(checked, kinds)
        if better is None:
            break
        fixed += sum(d.fix is not None for d in checked.diagnostics)
        checked = better
    if checked.text == before:
        return Mended("", 0)
    if write:
        mark = b"\xef\xbb\xbf" if path.read_bytes().startswith(b"\xef\xbb\xbf") else b""
        path.write_bytes(mark + checked.text.encode())
    lines = unified_diff(
        before.splitlines(), checked.text.splitlines(), str(path), str(path), lineterm=""
    )
    return Mended("".join(f"{line}\n" for line in lines), fixed)


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
