"""A document as the Python that makes it: `builder`'s calls, laid out for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from agentflow_dagster.spec import document as agents
from agentflow_dagster.spec import workflow as workflows
from agentflow_dagster.spec.builder import PARTS
from agentflow_dagster.spec.element import Element
from agentflow_dagster.spec.lowering import is_workflow, parse_workflow
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agentflow_dagster.spec.diagnostics import Diagnostic
    from agentflow_dagster.spec.values import JsonValue

_WIDTH = 96
_NAMES = {part: name for name, part in PARTS.items()}
_APART = ("inputs", "secrets", "env", "triggers", "nodes", "outputs")


def python_code(document: Mapping[str, JsonValue]) -> str | tuple[Diagnostic, ...]:
    """The Python of an agent or a workflow, or why it is neither."""
    used: set[str] = set()
    if is_workflow(document):
        parsed = parse_workflow(document)
        if isinstance(parsed, tuple):
            return parsed
        name, code = "workflow", _Writer(used).workflow(parsed)
    else:
        read = parse_agent(document)
        if isinstance(read, tuple):
            return read
        name, code = "agent", _Writer(used).agent(read)
    imports = f"from agentflow_dagster import {', '.join(sorted(used))}"
    if len(imports) > _WIDTH:
        lines = "".join(f"    {name},\n" for name in sorted(used))
        imports = f"from agentflow_dagster import (\n{lines})"
    return f"{imports}\n\n{name} = {code}\n"


class _Writer:
    """Writes values; the constructors that it used are in `used`."""

    def __init__(self, used: set[str]) -> None:
        self._used = used

    def agent(self, agent: agents.Agent) -> str:
        calls = [self._made("Agent", _said(agent.metadata), "    ")]
        spec = agent.spec
        given = spec.model_fields_set
        if "inputs" in given:
            calls.append(f".inputs({self._value(spec.inputs, '    ')})")
        calls += [
            f".{field}({', '.join(repr(name) for name in getattr(spec, field))})"
            for field in ("secrets", "env")
            if field in given
        ]
        rest = [(f, v) for f, v in _said(spec) if f not in _APART or (f == "triggers" and not v)]
        if rest:
            calls.append(self._call(".settings", rest, "    "))
        for name, trigger in spec.triggers.items():
            calls.append(self._call(".trigger", [("", name), *_said(trigger)], "    "))
        for name, node in spec.nodes.items():
            first: list[tuple[str, object]] = [("", name), ("", node.kind)]
            if "with_" in node.model_fields_set:
                first.append(("", node.with_))
            others = [(f, v) for f, v in _said(node) if f not in {"kind", "with_"}]
            calls.append(self._call(".node", [*first, *others], "    "))
        if "outputs" in given:
            calls.append(f".outputs({self._value(spec.outputs, '    ')})")
        if "layout" in agent.model_fields_set:
            calls.append(f".layout({self._value(agent.layout, '    ')})")
        return "(\n" + "".join(f"    {call}\n" for call in calls) + ")"

    def workflow(self, workflow: workflows.Workflow) -> str:
        return self._made("Workflow", [*_said(workflow.metadata), *_said(workflow.spec)], "")

    def _made(self, name: str, fields: Iterable[tuple[str, object]], indent: str) -> str:
        self._used.add(name)
        return self._call(name, fields, indent)

    def _call(self, name: str, fields: Iterable[tuple[str, object]], indent: str) -> str:
        inner = indent + "    "
        told = [(f"{f}=" if f else "") + self._value(v, inner) for f, v in fields]
        return _laid_out(f"{name}(", told, ")", indent)

    def _value(self, value: object, indent: str) -> str:
        inner = indent + "    "
        match value:
            case workflows.WorkflowAgent():
                return self._made("Agent", _said(value), indent)
            case Element():
                return self._made(_NAMES[type(value)], _said(value), indent)
            case dict():
                entries = cast("dict[str, object]", value).items()
                told = [f"{key!r}: {self._value(v, inner)}" for key, v in entries]
                return _laid_out("{", told, "}", indent)
            case list() | tuple():
                items = [self._value(v, inner) for v in cast("list[object]", value)]
                return _laid_out("[", items, "]", indent)
            case str() if "\n" in value.rstrip("\n") and len(value) > _WIDTH // 2:
                lines = "".join(f"{inner}{line!r}\n" for line in value.splitlines(keepends=True))
                return f"(\n{lines}{indent})"
            case _:
                return repr(value)


def _said(part: Element) -> list[tuple[str, object]]:
    """The fields that a part's author wrote, in the order of the model."""
    fields = type(part).model_fields
    return [(name, getattr(part, name)) for name in fields if name in part.model_fields_set]


def _laid_out(opening: str, items: list[str], closing: str, indent: str) -> str:
    """On one line where it fits, else a line each."""
    line = f"{opening}{', '.join(items)}{closing}"
    if not items or ("\n" not in line and len(indent) + len(line) <= _WIDTH):
        return line
    inner = indent + "    "
    return f"{opening}\n" + "".join(f"{inner}{item},\n" for item in items) + f"{indent}{closing}"
