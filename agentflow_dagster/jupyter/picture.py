"""An agent's graph as a picture that needs no front end: SVG, and a list for where that is text."""

from __future__ import annotations

import json
import unicodedata
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, TypedDict, cast

from agentflow_dagster.jupyter.node_states import figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agentflow_dagster.graph.layering import Point
    from agentflow_dagster.graph.view import GraphView, ViewEdge, ViewNode
    from agentflow_dagster.jupyter.node_states import NodeState, NodeStates

_MARGIN = 16.0
_MIN_WIDTH = 260.0
_HOLLOW = frozenset({"waiting", "skipped", "canceled", "stale"})


class _Look(TypedDict, total=False):
    """Colour and icon (a path on 16 x 16) of a family of kinds, or of a state."""

    color: str
    icon: str
    filled: bool


def graph_svg(view: GraphView, states: NodeStates | None = None) -> str:
    """A picture in light colours, or dark where the page or the system is.

    It refers to nothing outside itself.

    Args:
        view: The graph.
        states: How the nodes stand, by path; those it does not name are drawn as written.
    """
    states, look = states or {}, _looks()
    width = max(view.width, _MIN_WIDTH) + 2 * _MARGIN
    height = view.height + 2 * _MARGIN
    frames = [node for node in view.nodes if node.holds]
    boxes = [node for node in view.nodes if not node.holds]
    parts = [
        *(_box(view, node, states.get(node.id), look) for node in frames),
        *(_way(edge, states) for edge in view.edges),
        *(_box(view, node, states.get(node.id), look) for node in boxes),
        *(_ports(view, node) for node in view.nodes),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="agentflow-graph" role="img" '
        f'aria-label="{escape(f"Graph of {view.agent}")}" width="{width:g}" height="{height:g}" '
        f'viewBox="{-_MARGIN:g} {-_MARGIN:g} {width:g} {height:g}" '
        f'style="max-width: 100%; height: auto"><title>{escape(view.agent)}</title>'
        f"<style>{_STYLE}</style>"
        f'<rect class="page" x="{-_MARGIN:g}" y="{-_MARGIN:g}" width="{width:g}" '
        f'height="{height:g}" rx="8"/>{"".join(parts)}</svg>'
    )


def graph_text(view: GraphView, states: NodeStates | None = None) -> str:
    """The same as an indented list, a node a line with what comes after it."""
    title = f"{view.agent}: {view.description}" if view.description else view.agent
    return "\n".join([title, *_lines(view, None, "  ", states or {})])


def _lines(view: GraphView, parent: str | None, indent: str, states: NodeStates) -> Iterator[str]:
    names = {node.id: node.name for node in view.nodes}
    for node in view.nodes:
        if node.parent != parent:
            continue
        onward = [
            names[e.target] + (f" ({e.port})" if e.port != "result" else "")
            for e in view.edges
            if e.source == node.id
        ]
        to = f" -> {', '.join(onward)}" if onward else ""
        kind = f" [{node.kind}]" if node.kind != "body" else ""
        state = states.get(node.id)
        told = f"  {state.state}" if state else ""
        if state and figures(state) != state.state:
            told += f": {figures(state)}"
        yield f"{indent}{node.name}{kind}{to}{told}"
        yield from _lines(view, node.id, indent + "  ", states)


def _looks() -> dict[str, dict[str, _Look]]:
    text = resources.files("agentflow_dagster.jupyter").joinpath("look.json").read_text("utf-8")
    return cast("dict[str, dict[str, _Look]]", json.loads(text))


def _box(
    view: GraphView, node: ViewNode, state: NodeState | None, look: dict[str, dict[str, _Look]]
) -> str:
    x, y = view.corner(node)
    families = look["families"]
    family = families.get(node.family, families["other"])
    branch = node.kind == "body"
    style = "branch" if branch else "frame" if node.holds else "box"
    marks = "" if node.sound else " unsound"
    marks += f" is-{state.state}" if state else ""
    color = family.get("color", "")
    size = f'width="{node.width:g}" height="{node.height:g}" rx="8"'
    parts = [f'<rect class="{style}{marks}" {size} style="--color: {color}"/>']
    if not node.holds:
        end = node.height
        bar = (
            f"M8,0A8,8 0 0 0 0,8V{end - 8:g}A8,8 0 0 0 8,{end:g}Q4,{end:g} 4,{end - 4:g}V4Q4,0 8,0z"
        )
        parts.append(f'<path d="{bar}" fill="{color}"/>')
    if branch:
        parts.append(_text(12, 22, "name", node.name, node.width - 24))
    else:
        middle = 26.0 if node.holds else node.height / 2
        parts.append(
            f'<rect x="13" y="{middle - 15:g}" width="30" height="30" rx="7" fill="{color}" '
            f'fill-opacity="0.16"/><path transform="translate(19.5 {middle - 8.5:g}) scale(1.06)" '
            f'd="{family.get("icon", "")}" '
            + (
                f'fill="{color}"/>'
                if family.get("filled")
                else f'fill="none" stroke="{color}" stroke-width="1.4" '
                'stroke-linejoin="round" stroke-linecap="round"/>'
            )
        )
        room = node.width - 53 - 10
        said = figures(state) if state else node.description
        problem = "line problem" if state and state.state == "failed" and state.error else "line"
        if node.holds:
            parts.append(_text(53, 23, "name", node.name, room - 22))
            parts.append(_text(53, 39, "kind", node.kind, room))
            if state:
                after = 53 + len(node.kind) * 6.7 + 10
                parts.append(_text(after, 39, problem, said, node.width - after - 10))
        else:
            parts.append(_text(53, middle - 12, "name", node.name, room - 22))
            parts.append(_text(53, middle + 4, "kind", node.kind, room))
            parts.append(_text(53, middle + 20.5, problem, said, room))
    if state:
        parts.append(_mark(node, state, look["states"][state.state]))
    said = f"{node.name} ({node.kind})\n{node.description}"
    opacity = ' opacity="0.55"' if state and state.state == "skipped" else ""
    return (
        f'<g transform="translate({x:g} {y:g})"{opacity}><title>{escape(said)}</title>'
        f"{''.join(parts)}</g>"
    )


def _mark(node: ViewNode, state: NodeState, look: _Look) -> str:
    """The round mark of a state, in the upper right corner."""
    color, hollow = look.get("color", ""), state.state in _HOLLOW
    fill, stroke = ("none", color) if hollow else (color, "#fff")
    middle = 18.5 if node.holds else node.height / 2 - 16.5
    return (
        f'<g transform="translate({node.width - 26:g} {middle - 8:g})">'
        f"<title>{state.state}</title>"
        f'<circle cx="8" cy="8" r="7" fill="{fill}" stroke="{color}" stroke-width="1.4"/>'
        f'<path d="{look.get("icon", "")}" fill="none" stroke="{stroke}" stroke-width="1.7" '
        'stroke-linecap="round" stroke-linejoin="round"/></g>'
    )


def _ports(view: GraphView, node: ViewNode) -> str:
    x, y = view.corner(node)
    right = x + node.width
    parts: list[str] = []
    if any(edge.target == node.id for edge in view.edges):
        parts.append(f'<circle class="port" cx="{x:g}" cy="{y + node.height / 2:g}" r="3.5"/>')
    for port in node.ports:
        level = y + node.port_height(port)
        if node.shown_ports or any(edge.source == node.id for edge in view.edges):
            kind = "port error" if port == "error" else "port"
            parts.append(f'<circle class="{kind}" cx="{right:g}" cy="{level:g}" r="3.5"/>')
        if node.shown_ports:
            parts.append(_text(right + 8, level + 3.5, "label", port, 66))
    return "".join(parts)


def _way(edge: ViewEdge, states: NodeStates) -> str:
    marks = ["way", "data" if edge.data else "control"]
    if edge.port == "error":
        marks.append("error")
    source, target = states.get(edge.source), states.get(edge.target)
    if source and target:
        by_it = source.port in {"", edge.port}
        ended = source.state in {"done", "handled"}
        if ended and by_it and target.state != "skipped":
            marks.append("taken")
        elif "skipped" in {source.state, target.state} or (ended and not by_it):
            marks.append("left")
    return f'<path class="{" ".join(marks)}" d="{_path(edge.points)}"/>'


def _path(points: Sequence[Point]) -> str:
    """A smooth line through points, as `elements.ts` draws it."""
    x, y = points[0]
    drawn = f"M{x:g},{y:g}"
    for to_x, to_y in points[1:]:
        if y == to_y and to_x > x:
            drawn += f"L{to_x:g},{to_y:g}"
        else:
            reach = (to_x - x) / 2 if to_x > x else min(160.0, 40 + (x - to_x) / 4)
            ends = f"{x + reach:g},{y:g} {to_x - reach:g},{to_y:g} {to_x:g},{to_y:g}"
            drawn += f"C{ends}"
        x, y = to_x, to_y
    return drawn


_SIZES = {"name": 7.4, "kind": 6.7, "line": 6.3, "line problem": 6.3, "label": 5.6}
"""Pixels that a character takes, on average."""


def _text(x: float, y: float, style: str, text: str, room: float) -> str:
    cut = escape(_cut(text, room / _SIZES[style]))
    return f'<text class="{style}" x="{x:g}" y="{y:g}">{cut}</text>'


def _cut(text: str, most: float) -> str:
    """As much of a text as there is room for, in characters; wide ones count twice."""
    kept, taken = "", 0.0
    for character in text:
        taken += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if taken > most:
            return kept[:-1].rstrip() + "…"
        kept += character
    return kept


_COLORS = """
--page: var(--jp-layout-color1, {page}); --box: var(--jp-layout-color1, {box});
--edge: var(--jp-border-color1, {edge}); --text: var(--jp-ui-font-color1, {text});
--dim: var(--jp-ui-font-color2, {dim}); --fail: var(--jp-error-color1, #d13c3c);
"""
_LIGHT = _COLORS.format(page="#fff", box="#fff", edge="#c4c9d0", text="#1b1f24", dim="#5c6670")
_DARK = _COLORS.format(page="#1b1e23", box="#22262c", edge="#4a525d", text="#e8eaed", dim="#a3acb8")
_THEMES = (
    f".agentflow-graph {{{_LIGHT} font-family: system-ui, sans-serif}}"
    f"@media (prefers-color-scheme: dark) {{.agentflow-graph {{{_DARK}}}}}"
)
_RULES = """
.agentflow-graph .page {fill: var(--page)}
.agentflow-graph .box {fill: var(--box); stroke: var(--edge)}
.agentflow-graph .frame {fill: var(--color); fill-opacity: 0.07; stroke: var(--color);
  stroke-opacity: 0.7; stroke-width: 1.5; stroke-dasharray: 6 4}
.agentflow-graph .branch {fill: var(--page); fill-opacity: 0.7; stroke: var(--edge)}
.agentflow-graph .unsound {stroke: var(--fail); stroke-dasharray: 4 3}
.agentflow-graph .is-failed {stroke: var(--fail); stroke-width: 2}
.agentflow-graph .is-stale {stroke-dasharray: 4 3}
.agentflow-graph text {fill: var(--text)}
.agentflow-graph .name {font-size: 13px; font-weight: 600}
.agentflow-graph .kind {font-size: 11px; font-family: ui-monospace, monospace; fill: var(--dim)}
.agentflow-graph .line {font-size: 11.5px; fill: var(--dim)}
.agentflow-graph .problem {fill: var(--fail)}
.agentflow-graph .label {font-size: 10.5px; fill: var(--dim); stroke: var(--page); stroke-width: 4;
  stroke-linejoin: round; paint-order: stroke}
.agentflow-graph .way {fill: none; stroke: var(--dim); stroke-width: 1.6; stroke-opacity: 0.75}
.agentflow-graph .control {stroke-dasharray: 5 4}
.agentflow-graph .way.error {stroke: var(--fail)}
.agentflow-graph .taken {stroke: #2f9e4f; stroke-width: 2; stroke-opacity: 1}
.agentflow-graph .left {stroke-opacity: 0.3}
.agentflow-graph .port {fill: var(--dim); stroke: var(--box); stroke-width: 1.5}
.agentflow-graph .port.error {fill: var(--fail)}
"""
_STYLE = (_THEMES + _RULES).replace("\n", "")
