"""Changes of runs as lines for people."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, assert_never

import click

from agentflow_dagster.cli.output import shown
from agentflow_dagster.ports.live_events import AssetMade, RunChanged, StepChanged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.live_events import LiveEvent

_COLOURS: Mapping[str, str] = {
    "succeeded": "green",
    "failed": "red",
    "retrying": "yellow",
    "handled": "yellow",
    "canceled": "yellow",
    "suspended": "yellow",
    "skipped": "bright_black",
}


class LiveLines:
    """Prints a line for each change; a run's last says what it took in all."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._cost: dict[str, float | None] = {}

    def tell(self, event: LiveEvent) -> None:
        """Prints one change on stdout, coloured where that is a terminal."""
        match event:
            case RunChanged():
                node, what, figures = "", event.state, self._of_run(event)
                said = event.error
            case StepChanged():
                node, what, said = event.node, event.state, event.error
                if event.port:
                    what = f"output {event.port}"
                figures = [_milliseconds(event.latency_ms), *self._taken(event)]
                if event.wait_seconds is not None:
                    figures = [f"in {event.wait_seconds:g} s"]
            case AssetMade():
                node, what, said = event.node, "materialized", ""
                figures = [_milliseconds(event.latency_ms), *self._taken(event)]
            case _:
                assert_never(event)
        at = datetime.fromtimestamp(event.at).strftime("%H:%M:%S.%f")[:-3]  # noqa: DTZ006 - local
        told = "  ".join([one for one in figures if one] + ([_first_line(said)] if said else []))
        colour = _COLOURS.get(what) if what != "succeeded" or not node else None
        line = f"{at}  {event.run_id[:8]}  {event.agent:<20}  {node or '·':<16}  "
        what = shown(f"{what:<14}" if told else what)
        click.echo(shown(line) + click.style(what, fg=colour) + shown(f"  {told}".rstrip()))

    def _of_run(self, event: RunChanged) -> list[str]:
        if event.state == "started":
            self._began[event.run_id] = event.at
        if event.end is None:
            return []
        began = self._began.pop(event.run_id, None)
        cost = self._cost.pop(event.run_id, None)
        took = _milliseconds((event.at - began) * 1000) if began is not None else ""
        return [took, f"${cost:.6f}" if cost is not None else ""]

    def _taken(self, event: AssetMade | StepChanged) -> list[str]:
        taken = event.figures
        if not taken.model:
            return []
        cost = taken.cost_usd
        before = self._cost.get(event.run_id, 0.0)
        # One price that is not known leaves the sum unknown.
        self._cost[event.run_id] = None if cost is None or before is None else before + cost
        price = "price not known" if cost is None else f"${cost:.6f}"
        return [f"{taken.tokens_in}+{taken.tokens_out} tokens", price, taken.model]


def _milliseconds(took: float | None) -> str:
    return "" if took is None else f"{took:,.0f} ms"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
