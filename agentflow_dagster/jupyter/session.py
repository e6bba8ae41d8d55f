"""What the nodes of one kernel have come to: what each read and gave, and which are out of date."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import ValueNotStorable
from agentflow_dagster.spec.values import pack

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from agentflow_dagster.notebook import NodeLine
    from agentflow_dagster.operations.past_step import PastStep
    from agentflow_dagster.ports.model import Usage
    from agentflow_dagster.spec.values import JsonObject, Value

OF_THE_AGENT = ("env", "secrets", "config", "llmRouting", "limits", "budget")
"""What an agent says that holds for a node that is run alone, too; as does `name`, by which its
calls of models are accounted for."""
_PLAIN = (bool, int, float, str, bytes, type(None))


@dataclass(frozen=True, slots=True)
class Taken:
    """What a run of a node found under a name.

    Args:
        maker: The node that had made the value; None where another cell had.
        serial: The maker's run; 0 where no node made it.
        value: What it was.
    """

    maker: str | None
    serial: int
    value: object = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NodeRun:
    """The last run of a node in this kernel.

    Args:
        line, source: Its cell.
        cell: The cell's whole text.
        serial: Counts the runs of all nodes, from 1.
        took: What it read, by name.
        follows: The nodes that it came after without reading of them, with their runs.
        makes: Names that it made.
        port: The port that it left by; None where it was skipped.
        output: What it gave, for nodes that are no code.
        usage: One entry per model call.
        seconds: How long it worked.
        display: The id of what the notebook shows of it.
        ports: Those by which it could have left.
    """

    line: NodeLine
    source: str
    cell: str
    serial: int
    took: Mapping[str, Taken]
    follows: Mapping[str, int]
    makes: tuple[str, ...]
    port: str | None
    output: Value
    usage: tuple[Usage, ...]
    seconds: float
    display: str
    ports: tuple[str, ...] = ("result",)


def left_by(run: NodeRun, namespace: Mapping[str, object]) -> Value:
    """What a node gave: code the names that it made, as they are now."""
    if not run.line.is_code:
        return run.output
    found: dict[str, Value] = {}
    for name in run.makes:
        with suppress(ValueNotStorable):  # what cannot pass is not there for others
            found |= cast("dict[str, Value]", pack({name: namespace.get(name)}))
    return found


class Session:
    """The nodes that have run in one kernel, and what was said of the agent as a whole.

    Args:
        namespace: The notebook's names.

    Attributes:
        nodes: The last run of each node, by name.
        settings: What `%%agentflow agent` said.
        loaded: The step of a past run that was opened here.
        promoted: What the agent's file said once the step had been promoted from here.
    """

    def __init__(self, namespace: dict[str, object]) -> None:
        self.namespace = namespace
        self.nodes: dict[str, NodeRun] = {}
        self.settings: JsonObject = {}
        self.loaded: PastStep | None = None
        self.promoted: JsonObject | None = None
        self._serial = 0
        self._makers: dict[str, tuple[str, object]] = {}

    def take(self, name: str) -> Taken:
        """What stands under a name now, and who made it."""
        value = self.namespace.get(name)
        maker = self.maker(name)
        serial = self.nodes[maker].serial if maker in self.nodes else 0
        return Taken(maker, serial, value)

    def maker(self, name: str) -> str | None:
        """The node that made a name's present value; None where another cell did."""
        node, value = self._makers.get(name, (None, None))
        return node if node is not None and value is self.namespace.get(name) else None

    def add(self, run: NodeRun) -> NodeRun:
        """Takes in a run that has ended; gives it with its serial."""
        self._serial += 1
        run = replace(run, serial=self._serial)
        self.nodes[run.line.name] = run
        for name in run.makes:
            self._makers[name] = (run.line.name, self.namespace.get(name))
        return run

    def readers(self, node: str) -> tuple[str, ...]:
        """The nodes that have read what a node gave, or come after it."""
        return tuple(
            name
            for name, run in self.nodes.items()
            if name != node
            and (node in run.follows or any(t.maker == node for t in run.took.values()))
        )

    def stale(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes that are out of date, each with what has changed since: names and nodes."""
        found = {name: changed for name in self.nodes if (changed := self._changed(name, ()))}
        while more := {
            name: changed
            for name in self.nodes
            if name not in found and (changed := self._changed(name, found))
        }:
            found |= more
        return found

    def _changed(self, node: str, stale: Container[str]) -> tuple[str, ...]:
        """What a node read or came after that is another now, or is itself out of date."""
        run = self.nodes[node]
        names = [name for name, taken in run.took.items() if self._is_another(name, taken, stale)]
        nodes = [n for n, serial in run.follows.items() if n in stale or self._again(n, serial)]
        return tuple(dict.fromkeys([*names, *nodes]))

    def _is_another(self, name: str, taken: Taken, stale: Container[str]) -> bool:
        if taken.maker is not None:
            return taken.maker in stale or self._again(taken.maker, taken.serial)
        now = self.namespace.get(name)
        if now is taken.value:
            return False
        if isinstance(now, _PLAIN) and isinstance(taken.value, _PLAIN):
            return type(now) is not type(taken.value) or now != taken.value
        return True

    def _again(self, node: str, serial: int) -> bool:
        """Whether a node has run since the run of that serial."""
        return node in self.nodes and self.nodes[node].serial > serial
