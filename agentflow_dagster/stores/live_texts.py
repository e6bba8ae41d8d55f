"""What models say, told over the database while they say it; nothing of it is kept."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

import sqlalchemy as sa

from agentflow_dagster.errors import StoreError
from agentflow_dagster.stores.engine import single

if TYPE_CHECKING:
    from collections.abc import Sequence

CHANNEL = "agentflow_said"
"""What is notified: JSON of `run_id`, `path` (the step, with the bodies it stands in), `text`."""
MOST_SHOWN = 1_200
"""Characters of the end of a reply that are told."""

_MOST_BYTES = 7_900
"""PostgreSQL takes less than 8,000 with a notification."""
_EVERY = 0.2
"""Seconds: pieces that come closer together are told at once."""
_TELL = sa.text("SELECT pg_notify(:channel, told) FROM unnest(CAST(:told AS text[])) AS told")
_log = logging.getLogger(__name__)


class PostgresLiveTexts:
    """Tells what the models of runs say, to whoever watches these.

    Args:
        engine: The database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._changed: dict[tuple[str, str], str] = {}
        self._telling: asyncio.Task[None] | None = None
        self._away = False

    def ear(self, run_id: str, path: str) -> Ear:
        """Who hears what the model of one step of a run says; in the event loop that runs."""
        return Ear(self, run_id, path)

    def say(self, run_id: str, path: str, text: str) -> None:
        """Tells the end of a reply as it stands now, a moment later; does not wait."""
        self._changed[run_id, path] = text
        if self._telling is None or self._telling.done():
            self._telling = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        while self._changed:
            changed, self._changed = self._changed, {}
            told = [_told(run_id, path, text) for (run_id, path), text in changed.items()]
            try:
                await asyncio.to_thread(self._notify, told)
                self._away = False
            except StoreError as problem:
                if not self._away:
                    _log.warning("What models say cannot be told now: %s", problem)
                self._away = True
            await asyncio.sleep(_EVERY)

    def _notify(self, told: Sequence[str]) -> None:
        with single(self._engine) as connection:
            connection.execute(_TELL, {"channel": CHANNEL, "told": list(told)})


class Ear:
    """Hears one step's model."""

    def __init__(self, texts: PostgresLiveTexts, run_id: str, path: str) -> None:
        self._texts = texts
        self._run_id = run_id
        self._path = path
        self._text = ""

    def text(self, piece: str) -> None:
        """See `ports.model.Listener`."""
        self._text = (self._text + piece)[-MOST_SHOWN:]
        self._texts.say(self._run_id, self._path, self._text)

    def again(self) -> None:
        """See `ports.model.Listener`."""
        if self._text:
            self._text = ""
            self._texts.say(self._run_id, self._path, "")


def _told(run_id: str, path: str, text: str) -> str:
    """As it is notified, in ASCII, of the text only as much of the end as there is room for."""
    while True:
        told = json.dumps({"run_id": run_id, "path": path, "text": text})
        if len(told) <= _MOST_BYTES or not text:
            return told
        text = text[len(text) // 4 + 1 :]
