"""What a `%%node` cell shows when it has run: what it took, read and gave, and who reads it."""

from __future__ import annotations

import json
import types
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.errors import ValueNotStorable
from agentflow_dagster.jupyter.node_states import cost, duration
from agentflow_dagster.jupyter.session import left_by
from agentflow_dagster.jupyter.summary_html import as_html
from agentflow_dagster.notebook.seen import MIME
from agentflow_dagster.spec.values import Part, pack, preview

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.jupyter.session import NodeRun, Session
    from agentflow_dagster.notebook import CellNames
    from agentflow_dagster.ports.model import Usage
    from agentflow_dagster.spec.values import JsonObject, Value

MAX_OUTPUT = 4_000
_ROWS_TRIED = 1_000


@dataclass(frozen=True, slots=True)
class Read:
    """A name that the cell read, and the node that made its value; None where no node did."""

    name: str
    maker: str | None


@dataclass(frozen=True, slots=True)
class Made:
    """A name that the cell made.

    Args:
        name: The name.
        what: Its value in a few words.
        stays: Why no other node could read it; "" where one can.
    """

    name: str
    what: str
    stays: str = ""


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """One run of a node's cell, for display.

    Args:
        node, kind: The node.
        seconds: How long it worked.
        reads, makes: In the order of the text.
        warnings: What will be otherwise where the agent runs.
        figures: Tokens, cost and model, in a few words each.
        output: What a node that is no code gave, as text.
        port: The port that it left by, where that is not `result`.
        skipped: Whether it was skipped.
        readers: The nodes that read what it gave.
        stale: What has changed since it ran.
        took: What ipyflow saw it take from other cells; None where it does not look.
        before: What it gave in the run that it was opened from, as text; "" where it was not.
    """

    node: str
    seconds: float
    reads: tuple[Read, ...] = ()
    makes: tuple[Made, ...] = ()
    warnings: tuple[str, ...] = ()
    kind: str = ""
    figures: tuple[str, ...] = ()
    output: str = ""
    port: str = ""
    skipped: bool = False
    readers: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    took: JsonObject | None = None
    before: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> JsonObject:
        bundle: JsonObject = {"text/plain": self.as_text(), "text/html": as_html(self)}
        return bundle if self.took is None else {**bundle, MIME: self.took}

    def as_text(self) -> str:
        """A few lines for terminals and logs."""
        lines = [f"node {self.node}: {', '.join(self.facts)}"]
        if self.stale:
            lines.append(f"  out of date: {', '.join(self.stale)} changed; run it again")
        if self.reads:
            lines.append(f"  reads {', '.join(map(_read_text, self.reads))}")
        if self.makes:
            lines.append(f"  makes {', '.join(map(_made_text, self.makes))}")
        if self.readers:
            lines.append(f"  read by {', '.join(self.readers)}")
        lines += [f"  warning: {warning}" for warning in self.warnings]
        if self.before and self.before == self.output:
            lines.append("  as in the run:")
        elif self.before:
            lines += [
                "  in the run:",
                *(f"  {line}" for line in self.before.splitlines()),
                "  now:",
            ]
        lines += [f"  {line}" for line in self.output.splitlines()]
        return "\n".join(lines)

    @property
    def facts(self) -> tuple[str, ...]:
        """How it went, in a few words each."""
        if self.skipped:
            return ("skipped",)
        left = (f"left by {self.port}",) if self.port else ()
        return (duration(self.seconds), *self.figures, *left)


def summarize(
    run: NodeRun,
    names: CellNames,
    session: Session,
    *,
    before: Value = None,
) -> NodeSummary:
    """Looks at what a run has left in the namespace.

    Args:
        run: The run.
        names: What its cell does with names.
        session: Whose namespace it ran in.
        before: What it gave in the run that it was opened from.
    """
    namespace, line = session.namespace, run.line
    makes = [name for name in run.makes if not name.startswith("_") and name in namespace]
    warnings = [
        f"{name} was made elsewhere and is changed in place here: other nodes will not see that. "
        "Make a new value under a new name."
        for name in names.mutates
        if is_data(namespace.get(name))
    ]
    return NodeSummary(
        line.name,
        run.seconds,
        tuple(Read(name, taken.maker) for name, taken in run.took.items()),
        tuple(Made(n, describe(namespace[n]), _not_storable(n, namespace[n])) for n in makes)
        if line.is_code
        else (),
        tuple(warnings),
        "" if line.is_code else line.kind,
        figures(run.usage),
        _output(run, session, told=before is not None),
        run.port if run.port and run.port != "result" else "",
        skipped=run.port is None,
        before="" if before is None else shown(before),
    )


def _output(run: NodeRun, session: Session, *, told: bool) -> str:
    """What a node gave, as text; of code, whose values are told of by name, only where asked."""
    if not run.line.is_code:
        return "" if run.output is None else shown(run.output)
    return shown(left_by(run, session.namespace)) if told and run.makes else ""


def figures(usage: Sequence[Usage]) -> tuple[str, ...]:
    """Tokens, cost and model of some calls, in a few words each; nothing where there were none."""
    if not usage:
        return ()
    tokens_in, tokens_out = (
        sum(getattr(u, f"tokens_{way}") for u in usage) for way in ("in", "out")
    )
    costs = [u.cost_usd for u in usage]
    known = [one for one in costs if one is not None]
    price = cost(float(sum(known, Decimal(0))) if len(known) == len(costs) else None)
    models = ", ".join(dict.fromkeys(u.model for u in usage))
    return f"{tokens_in:,} + {tokens_out:,} tokens", price, models


def shown(output: Value) -> str:
    """A node's output for people: its text where it is one, else JSON."""
    match output:
        case {"text": str(text)} if len(output) == 1:
            return _cut(text)
        case str():
            return _cut(output)
        case Part() | None:
            return preview(output, limit=MAX_OUTPUT)
        case _:
            body = preview(output, limit=MAX_OUTPUT)
            try:
                return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
            except ValueError:  # it was cut
                return body


def is_data(value: object) -> bool:
    """Whether a value passes between nodes, rather than being shared code."""
    return not isinstance(value, types.ModuleType | type) and not callable(value)


def describe(value: object) -> str:
    """Type and size or value in a few words: `DataFrame 3 x 5`, `list of 4`, `'EUR'`."""
    name = type(value).__name__
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= 40 else f"{name} of {len(str(value)):,}"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        sizes = " \N{MULTIPLICATION SIGN} ".join(f"{n:,}" for n in cast("tuple[int, ...]", shape))
        return f"{name} {sizes}".strip()
    if isinstance(value, list | tuple | dict | set | frozenset | bytes | bytearray):
        return f"{name} of {len(cast('Sequence[object]', value)):,}"
    return name


def public_values(names: CellNames, namespace: Mapping[str, object]) -> tuple[str, ...]:
    """The names that a cell of code has made for others."""
    return tuple(n for n, b in names.defines.items() if b.kind == "value" and n in namespace)


def _not_storable(name: str, value: object) -> str:
    """Why no other node can read a value; "" where it can. Of long ones the head is tried."""
    match type(value).__name__:
        case "DataFrame" | "Series" if hasattr(value, "head"):
            value = cast("Any", value).head(_ROWS_TRIED)
        case "ndarray":
            value = cast("Any", value)[:_ROWS_TRIED] if cast("Any", value).ndim else value
        case _:
            pass
    try:
        pack({name: value})
    except (ValueNotStorable, RecursionError) as error:
        return str(error)
    return ""


def _read_text(read: Read) -> str:
    return f"{read.name} (from {read.maker})" if read.maker else read.name


def _made_text(made: Made) -> str:
    return f"{made.name} ({made.what}{', stays in this node' if made.stays else ''})"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_OUTPUT else f"{text[:MAX_OUTPUT]}… ({len(text):,} characters)"
