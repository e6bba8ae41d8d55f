"""Triggers that the sensor looks at: files, databases, connectors; their rules and their events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never, cast

from agentflow_dagster.graph import templates
from agentflow_dagster.spec import globs, template
from agentflow_dagster.spec.diagnostics import Diagnostic, error, nearest, pointer
from agentflow_dagster.spec.parse import validated
from agentflow_dagster.spec.template import has_expression
from agentflow_dagster.spec.triggers import DatabaseWatch, FileWatch, SourceWatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.sources import SourceCatalogue
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

_TEXT: JsonSchema = {"type": "string"}
_CONTENT: dict[str, dict[str, JsonSchema]] = {
    "text": {"text": _TEXT},
    "json": {"json": {}},
    "rows": {"rows": {"type": "array", "items": {"type": "object"}}},
    "none": {},
}
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_SELECT = re.compile(r"\s*(?:SELECT|WITH)\b", re.IGNORECASE)
_SINCE = re.compile(r"(?<![:\w]):since\b")
_BEYOND = re.compile(r"(?:>\s*:since\b)|(?:(?<![:\w]):since\s*<(?!=))")
_BOUNDED = re.compile(r"\b(?:LIMIT|OFFSET|FETCH|TOP)\b", re.IGNORECASE)

Path = tuple[str, ...]


def event_schema(
    watch: FileWatch | DatabaseWatch | SourceWatch, sources: SourceCatalogue | None
) -> JsonSchema:
    """What `event` holds; of a connector that is not known, anything."""
    match watch:
        case FileWatch():
            known = {"path": _TEXT, "name": _TEXT, "size": {"type": "integer"}, "modified": _TEXT}
            return {"type": "object", "properties": {**known, **_CONTENT[watch.read]}}
        case DatabaseWatch():
            return {"type": "object", "properties": {"row": {}}}
        case SourceWatch():
            found = (sources or {}).get(watch.source)
            return found.event_schema if found else {}
        case _:
            assert_never(watch)


def check(
    agent: Agent,
    watch: FileWatch | DatabaseWatch | SourceWatch,
    path: Path,
    sources: SourceCatalogue | None,
) -> Iterator[Diagnostic]:
    """What is wrong with where a trigger's events come from."""
    match watch:
        case FileWatch():
            yield from _check_file(watch, (*path, "file"))
        case DatabaseWatch():
            yield from _check_url(agent, watch, (*path, "database", "url"))
            yield from _check_query(watch.query, pointer(*path, "database", "query"))
        case SourceWatch():
            yield from _check_source(agent, watch, (*path, "event"), sources)
        case _:
            assert_never(watch)


def _check_file(watch: FileWatch, path: Path) -> Iterator[Diagnostic]:
    place = pointer(*path, "path")
    if globs.leads_out(watch.path):
        message = f"{watch.path!r} is no path below the project's data folder."
        hint = "Write it from there, with `/` and without `..`: inbox/*.csv."
        yield error("AF410", message, pointer=place, hint=hint)
    elif said := globs.problem_of(watch.path):
        message = f"{watch.path!r} is not a glob: {said}."
        hint = "`*` and `?` stand within a name, `**` for any folders: inbox/**/*.csv."
        yield error("AF411", message, pointer=place, hint=hint)


def _check_query(query: str, place: str) -> Iterator[Diagnostic]:
    """Judged by its words alone, without comments and quoted texts; the database does the rest."""
    words = _QUOTED.sub("''", _COMMENTS.sub(" ", query)).strip().removesuffix(";")
    if not _SELECT.match(words) or ";" in words:
        message = "The query is not one SELECT."
        hint = "Begin with SELECT, or with WITH; nothing is written by a trigger."
        yield error("AF412", message, pointer=place, hint=hint)
    elif not _SINCE.search(words):
        message = "The query does not say `:since`, so every poll would read everything."
        yield error("AF413", message, pointer=place, hint="Add `WHERE updated_at >= :since`.")
    elif _BEYOND.search(words):
        message = "Rows that come later with a mark that was read already would be lost."
        hint = "Write `>= :since`: rows that were seen at the mark are not given again."
        yield error("AF414", message, pointer=place, hint=hint)
    elif found := _BOUNDED.search(words):
        message = f"{found[0].upper()} would leave rows out that no later poll finds."
        hint = "Leave it out: every poll takes a bounded number of rows, in the mark's order."
        yield error("AF414", message, pointer=place, hint=hint)


def _check_url(agent: Agent, watch: DatabaseWatch, path: Path) -> Iterator[Diagnostic]:
    place = pointer(*path)
    parsed = template.parse(watch.url)
    if not isinstance(parsed, Diagnostic) and parsed.single is None:
        message = "The database's URL is not one expression."
        hint = 'Keep it out of the document: url: "{{secret.WAREHOUSE_URL}}".'
        yield error("AF415", message, pointer=place, hint=hint)
        return
    text = templates.TemplateText(path, watch.url)
    found, problems = templates.check_text(text, _scope(agent))
    yield from problems
    if not problems:
        yield from templates.check_fit(path, found, _TEXT)


def _check_source(
    agent: Agent, watch: SourceWatch, path: Path, sources: SourceCatalogue | None
) -> Iterator[Diagnostic]:
    config: JsonValue = dict(watch.config)
    for text in templates.find(config, (*path, "config")):
        yield from templates.check_text(text, _scope(agent))[1]
    if sources is None:
        return
    known = sources.get(watch.source)
    if known is None:
        message = f"There is no event source {watch.source!r}."
        hint = nearest(watch.source, sources)
        yield error("AF416", message, pointer=pointer(*path, "source"), hint=hint)
        return
    checked = validated(known.config, watch.config, under=(*path, "config"))
    for found in checked if isinstance(checked, tuple) else ():
        if not _is_expression(config, found.pointer.removeprefix(pointer(*path, "config"))):
            yield error("AF417", found.message, pointer=found.pointer, hint=found.hint)


def _is_expression(config: JsonValue, place: str) -> bool:
    """Whether the value complained of is known only when the source is asked."""
    at: JsonValue = config
    for step in (s.replace("~1", "/").replace("~0", "~") for s in place.split("/")[1:]):
        if isinstance(at, dict):
            at = cast("Mapping[str, JsonValue]", at).get(step)
        elif isinstance(at, list):
            at = cast("list[JsonValue]", at)[int(step)]
    return isinstance(at, str) and has_expression(at)


def _scope(agent: Agent) -> dict[str, JsonSchema]:
    return {
        "env": {"type": "object", "properties": dict.fromkeys(agent.spec.env, _TEXT)},
        "secret": {"type": "object", "properties": dict.fromkeys(agent.spec.secrets, _TEXT)},
    }
