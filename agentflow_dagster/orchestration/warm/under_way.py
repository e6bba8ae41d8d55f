"""The runs that a warm parent has under way, noted in a folder: a file for each.

By these the next warm parent knows what this one left, should it be killed, and whoever looks
after runs knows that somebody does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from agentflow_dagster.orchestration.warm.asking import warm_parent

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTES_VARIABLE = "AGENTFLOW_RUNS_UNDER_WAY"
"""The folder, where the next warm parent has the same; without it, it is one beside the socket."""
Left: TypeAlias = Literal["", "agent", "stopped"]
"""What a note says: of a run of an agent, that it is one, and that it was left on purpose."""


class UnderWay:
    """The notes of one warm parent.

    Args:
        folder: Where they are; only one at a time may have it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def left(self) -> Mapping[str, Left]:
        """The runs that somebody left."""
        return {note.name: _read(note) for note in sorted(self._folder.iterdir())}

    def note(self, run_id: str, left: Left) -> None:
        """Notes a run."""
        (self._folder / run_id).write_text(left)

    def remove(self, run_id: str) -> None:
        """The run has ended."""
        (self._folder / run_id).unlink(missing_ok=True)


def is_under_way(run_id: str) -> bool:
    """Whether a warm parent of this project, or the next one, sees to it that a run ends."""
    folder = notes_folder()
    return folder is not None and (folder / run_id).exists()


def notes_folder() -> Path | None:
    """The folder of this project's warm parent; None where there is none."""
    if told := os.environ.get(NOTES_VARIABLE):
        return Path(told)
    socket = warm_parent()
    return Path(f"{socket}.runs") if socket is not None else None


def _read(note: Path) -> Left:
    match note.read_text():
        case "agent":
            return "agent"
        case "stopped":
            return "stopped"
        case _:  # or one that a power cut took
            return ""
