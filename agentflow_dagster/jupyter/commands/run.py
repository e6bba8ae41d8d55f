"""`%agentflow run`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import UsageError
from agentflow_dagster.jupyter.commands.which import saved_file, with_file
from agentflow_dagster.jupyter.front_end import has_front_end
from agentflow_dagster.jupyter.here import project_here

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked
    from agentflow_dagster.jupyter.widgets.panel import RunPanel
    from agentflow_dagster.spec.values import JsonObject

SUMMARY = "Runs the agent as it would run in production: with NAME=VALUE at once, else by a form."


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the run is given."""
    parser.add_argument("values", nargs="*", metavar="NAME=VALUE", help="VALUE is JSON, or a text")
    parser.add_argument("--input", metavar="JSON", help="the whole input")
    parser.add_argument("--agent", metavar="NAME", help="a deployed agent, in place of this one")
    parser.add_argument("--partition", metavar="KEY", help="of a partitioned agent: which one")
    with_file(parser)


def carry_out(asked: Asked) -> RunPanel:
    """A form for the input, and the run below it. Where no front end is live, its end is awaited.

    Raises:
        UsageError: a value cannot be read, or the agent needs another input.
        DocumentError: the notebook has errors.
    """
    from agentflow_dagster.jupyter.project_widgets import run_panel
    from agentflow_dagster.nodes import all_kinds

    options = asked.options
    given = _given(options)
    target = options.agent or str(saved_file(asked))
    panel = run_panel(project_here(), all_kinds(), target, given=given, partition=options.partition)
    if given or not has_front_end():
        panel.run(given)
    if not has_front_end():
        panel.wait()
    return panel


def _given(options: argparse.Namespace) -> JsonObject:
    given: object = {}
    if options.input is not None:
        try:
            given = json.loads(options.input)
        except ValueError as problem:
            raise UsageError(f"--input is not JSON: {problem}.") from None
    if not isinstance(given, dict):
        raise UsageError("--input must be a JSON object.")
    values = cast("JsonObject", given)
    for text in options.values:
        name, equals, value = text.partition("=")
        if not equals:
            hint = "Write NAME=VALUE. Another agent is run with --agent NAME."
            raise UsageError(f"{text!r} gives no value.", hint=hint)
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values
