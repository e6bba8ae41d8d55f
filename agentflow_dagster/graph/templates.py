"""The texts with expressions in a piece of a document: how they are found, checked and filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph import expressions
from agentflow_dagster.graph.cel_messages import Fault
from agentflow_dagster.graph.cel_types import simple_type
from agentflow_dagster.spec import template
from agentflow_dagster.spec.diagnostics import Diagnostic, error, pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agentflow_dagster.graph.cel_syntax import Read
    from agentflow_dagster.graph.node_graph import NodeGraph
    from agentflow_dagster.spec.document import Node
    from agentflow_dagster.spec.kind import Catalogue, KindConfig, KindSignature
    from agentflow_dagster.spec.values import JsonSchema, JsonValue, Value

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A text with expressions, and its path in the document."""

    path: Path
    text: str


def find(value: JsonValue, path: Path) -> Iterator[TemplateText]:
    """Every text under `value` that has something to evaluate."""
    match value:
        case str() if template.has_expression(value):
            yield TemplateText(path, value)
        case dict():
            for key, inner in value.items():
                yield from find(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield from find(inner, (*path, index))
        case _:
            return


def of_config(node: Node, kind: KindSignature[KindConfig], path: Path) -> Iterator[TemplateText]:
    """Every text of a node that is evaluated before it begins: in its config and its `when`."""
    yield from find(kind.templated(node.with_), (*path, "with"))
    if node.when is not None:
        yield from find(node.when, (*path, "when"))


def of_node(graph: NodeGraph, name: str, kinds: Catalogue) -> Iterator[TemplateText]:
    """Every text of a node that has something to evaluate, those in its bodies too."""
    node, path = graph.nodes[name], graph.node_path(name)
    kind = kinds[node.kind]
    yield from of_config(node, kind, path)
    for field in kind.inner.keys() & node.with_.keys():
        yield from find(node.with_[field], (*path, "with", field))
    for body in graph.bodies(name, kind).values():
        for inner in body.nodes:
            yield from of_node(body, inner, kinds)
        for key, value in body.outputs.items():
            yield from find(value, (*body.path, "outputs", key))


def roots(texts: Iterable[TemplateText]) -> dict[str, list[Read]]:
    """What the expressions read, by root name; texts that do not parse read nothing."""
    found: dict[str, list[Read]] = {}
    for text in texts:
        parsed = template.parse(text.text)
        if isinstance(parsed, Diagnostic):
            continue
        for piece in parsed.expressions:
            for read in expressions.reads(piece.source):
                found.setdefault(read.root, []).append(read)
    return found


def check_text(
    text: TemplateText, scope: Mapping[str, JsonSchema]
) -> tuple[JsonSchema, list[Diagnostic]]:
    """Checks one text; gives the JSON Schema of what it evaluates to."""
    place = pointer(*text.path)
    parsed = template.parse(text.text)
    if isinstance(parsed, Diagnostic):
        return {}, [error(parsed.code, parsed.message, pointer=place, hint=parsed.hint)]
    problems: list[Diagnostic] = []
    result: JsonSchema = {"type": "string"}
    for piece in parsed.expressions:
        checked = expressions.check(piece.source, scope)
        if isinstance(checked, Fault):
            column = piece.offset + checked.offset + 1
            message = f"{checked.message} In {_shown(text.text)} at character {column}."
            problems.append(error(checked.code, message, pointer=place, hint=checked.hint))
        elif piece is parsed.single:
            result = checked.schema
    return ({} if problems else result), problems


def check_fit(path: Path, found: JsonSchema, wanted: JsonSchema) -> Iterator[Diagnostic]:
    """Whether a value of one schema can stand where another is wanted, as far as types tell."""
    have, _ = simple_type(found)
    want, _ = simple_type(wanted)
    if have and want and have != want and (have, want) != ("integer", "number"):
        message = f"`{path[-1]}` takes {_article(want)}, and this gives {_article(have)}."
        hint = _CONVERSIONS.get(want, "")
        yield error("AF206", message, pointer=pointer(*path), hint=hint)


def fill(value: JsonValue, scope: Mapping[str, Value]) -> Value:
    """Evaluates every expression under `value`.

    Raises:
        RunError: an expression cannot be evaluated on these values.
    """
    match value:
        case str() if template.has_expression(value):
            return _fill_text(value, scope)
        case dict():
            return {key: fill(inner, scope) for key, inner in value.items()}
        case list():
            return [fill(inner, scope) for inner in value]
        case _:
            return value


_CONVERSIONS = {
    "string": "Convert it with string(…), or put text around it.",
    "number": "Convert it with double(…).",
    "integer": "Convert it with int(…).",
    "boolean": "Compare it with something: … == 'yes'.",
}


def _fill_text(text: str, scope: Mapping[str, Value]) -> Value:
    parsed = template.parse(text)
    if isinstance(parsed, Diagnostic):
        raise RunError(parsed.message, hint=parsed.hint, retryable=False)
    if parsed.single is not None:
        return expressions.evaluate(parsed.single.source, scope)
    return "".join(
        piece if isinstance(piece, str) else _as_text(expressions.evaluate(piece.source, scope))
        for piece in parsed.pieces
    )


def _as_text(value: Value) -> str:
    import json

    from agentflow_dagster.spec.values import split

    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return json.dumps(split(value)[0], ensure_ascii=False)


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aio" else f"a {name}"


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 60 else line[:59] + "…")
