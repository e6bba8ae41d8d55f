"""`%agentflow load`: what a step of a past run was given, as the notebook's variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.jupyter.here import project_here
from agentflow_dagster.jupyter.node_states import cost, duration
from agentflow_dagster.jupyter.session import OF_THE_AGENT, NodeRun
from agentflow_dagster.jupyter.summary import shown
from agentflow_dagster.jupyter.tables import Table
from agentflow_dagster.notebook import NodeLine
from agentflow_dagster.notebook.node_line import CODE
from agentflow_dagster.spec.values import unpack

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked
    from agentflow_dagster.jupyter.session import Session
    from agentflow_dagster.operations.past_step import PastStep
    from agentflow_dagster.spec.values import JsonObject

SUMMARY = "Loads what a step of a past run was given, as variables (`open` writes it)."
_LOADED = "notebook.loaded"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which step."""
    parser.add_argument("run", metavar="RUN", help="the run's id, or its first characters")
    parser.add_argument("node", metavar="NODE", help="the node")


def carry_out(asked: Asked) -> Table:
    """Fills the namespace; shows what the step was and gave.

    Raises:
        UsageError: there is no such run or node, or nothing of it is kept.
    """
    from agentflow_dagster.nodes import all_kinds
    from agentflow_dagster.operations.past_step import find_step

    step = find_step(project_here(), all_kinds(), asked.options.run, asked.options.node)
    names = fill(asked.session, step)
    rows = [
        ("agent", f"{step.run.agent} v{step.version.number} ({step.version.hash[:12]})"),
        ("run", f"{step.run.run_id}, {step.run.status.lower()}"),
    ]
    if step.run.partition:
        rows.append(("partition", ", ".join(map(str, step.run.partition.values()))))
    rows.append(("variables", ", ".join(names) or "none"))
    rows += [(name, shown(value)) for name, value in step.config.items() if _is_told(name, step)]
    rows += list(_ended(step))
    return Table(f"{step.node} as it was", ("", ""), rows)


def fill(session: Session, step: PastStep) -> list[str]:
    """Gives a session what a step found: the run's input, what the nodes before it gave, and of
    code its own inputs. Gives the names that were set."""
    found: dict[str, object] = dict(step.run.input)
    spec = cast("JsonObject", step.version.document["spec"])
    before = step.before
    for name, node in cast("dict[str, JsonObject]", spec["nodes"]).items():
        output = step.run.outputs.get(name)
        if name not in before:
            continue
        if output is not None:
            value = unpack(output.value)
            found |= value if node["kind"] == CODE and isinstance(value, dict) else {name: value}
        session.add(_stands_for(name, step))
    if step.entry["kind"] == CODE:
        found |= cast("dict[str, object]", unpack(step.config.get("inputs", {})))
    session.namespace.update(found)
    said = {key: spec[key] for key in (*OF_THE_AGENT, "defaults") if key in spec}
    session.settings = {"name": step.run.agent, **said}
    session.loaded, session.promoted = step, None
    return sorted(found)


def _stands_for(name: str, step: PastStep) -> NodeRun:
    """A node of the past run, as one that has run here."""
    output = step.run.outputs.get(name)
    return NodeRun(
        line=NodeLine(name, _LOADED),
        source="",
        cell="",
        serial=0,
        took={},
        follows={},
        makes=(),
        port=output.port if output else None,
        output=output.value if output else None,
        usage=(),
        seconds=0.0,
        display="",
        ports=step.plan.step(name).ports,
    )


def _is_told(name: str, step: PastStep) -> bool:
    """Whether a field of the config is more than the cell below shows."""
    return step.entry["kind"] != CODE and step.config[name] != cast(
        "JsonObject", step.entry["with"]
    ).get(name)


def _ended(step: PastStep) -> list[tuple[str, str]]:
    if step.output is None:
        return [("gave", "nothing: it was skipped, or did not end")]
    facts = step.output.facts
    rows = [("gave", shown(step.output.value))]
    if step.output.port != "result":
        rows.append(("left by", step.output.port))
    if facts.get("model"):
        tokens = int(cast("int", facts["tokens_in"])) + int(cast("int", facts["tokens_out"]))
        price = cost(cast("float | None", facts.get("cost_usd")))
        took = duration(float(cast("float", facts["latency_ms"])) / 1000)
        rows.append(("took", f"{took}, {tokens:,} tokens, {price}, {facts['model']}"))
    return rows
