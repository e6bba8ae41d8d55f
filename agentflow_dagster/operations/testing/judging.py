"""Whether what a test expects holds of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph.document_tests import value_template
from agentflow_dagster.graph.templates import fill
from agentflow_dagster.nodes.apart import done_apart
from agentflow_dagster.ports.document_tests import Broken
from agentflow_dagster.spec.arrow_values import frame_of
from agentflow_dagster.spec.canonical import is_same
from agentflow_dagster.spec.values import TABLE, Part, pack, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agentflow_dagster.models import SentenceModel
    from agentflow_dagster.ports.code import CodeRunner
    from agentflow_dagster.spec.tests import AgentTest, Expectation, Most
    from agentflow_dagster.spec.values import JsonObject, JsonValue, Value

_MATCHES = 10_000


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is judged of a run.

    Args:
        scope: What an expectation's `value` reads.
        skipped: Nodes that did not run.
        failures: What nodes that failed for good said.
        seconds, cost_usd, tokens: What it took; the cost is None where a price is not known.
    """

    scope: Mapping[str, Value]
    skipped: frozenset[str]
    failures: Mapping[str, str]
    seconds: float
    cost_usd: float | None
    tokens: int

    @property
    def status(self) -> str:
        """As Dagster would call it."""
        return "FAILURE" if self.failures else "SUCCESS"

    @property
    def said(self) -> str:
        """What those that failed said."""
        return "; ".join(f"{node}: {message}" for node, message in self.failures.items())


@dataclass(frozen=True, slots=True)
class _Apart:
    """The bounds of what is judged apart from this process."""

    code: CodeRunner
    timeout: float
    node: str = "expect"
    memory_bytes: int | None = None


class Judge:
    """Judges runs.

    Args:
        sentences: Says how near two texts are.
        code: Where patterns, paths and schemas are evaluated.
        seconds: Most that one of them may take.
    """

    def __init__(
        self, sentences: SentenceModel, code: CodeRunner, *, seconds: float = 10.0
    ) -> None:
        self._sentences = sentences
        self._apart = _Apart(code, seconds)

    async def judge(self, test: AgentTest, facts: RunFacts) -> tuple[Broken, ...]:
        """What does not hold; a run that is not said to fail has to succeed."""
        if facts.failures and not any(one.status or one.failure for one in test.expect):
            return (Broken("", f"The run failed: {facts.said}"),)
        broken: list[Broken] = []
        for index, one in enumerate(test.expect):
            place = f"expect/{index}"
            broken += _of_the_run(one, facts, place)
            if one.value is not None:
                broken += await self._of_a_value(one, facts, place)
        return tuple(broken)

    async def _of_a_value(self, one: Expectation, facts: RunFacts, place: str) -> list[Broken]:
        try:
            got = _plain(fill(value_template(str(one.value)), facts.scope))
            if one.jsonpath is not None:
                got = await self._found(one.jsonpath, got)
        except RunError as problem:
            return [Broken(f"{place}/value", f"{one.value} cannot be read: {problem}")]
        broken: list[Broken] = []
        for matcher in one.matchers:
            try:
                said = await self._mismatch(one, matcher, got, facts)
            except RunError as problem:
                said = Broken("", f"cannot be judged: {problem}", None, got)
            if said is not None:
                broken.append(_placed(said, one, place, matcher))
        return broken

    async def _found(self, path: str, value: JsonValue) -> JsonValue:
        """What a JSONPath finds: the value where it can lead to one place only, else a list."""
        from jsonpath import JSONPath, JSONPathEnvironment

        told = await self._finding(value, {"at": path}, "", _MATCHES)
        found = cast("dict[str, list[JsonValue]]", told)["at"]
        compiled = JSONPathEnvironment(strict=True).compile(path)
        if not (isinstance(compiled, JSONPath) and compiled.singular_query()):
            return found
        if not found:
            raise RunError(f"{path!r} finds nothing in it.")
        return found[0]

    async def _mismatch(
        self, one: Expectation, matcher: str, got: JsonValue, facts: RunFacts
    ) -> Broken | None:
        """What does not hold; its place is filled in later."""
        match matcher:
            case "equals":
                wanted = _plain(fill(one.equals, facts.scope))
                if is_same(got, wanted):
                    return None
                return Broken("", "is another", wanted, got, differ=True)
            case "contains":
                wanted = _plain(fill(one.contains, facts.scope))
                if _contains(got, wanted):
                    return None
                return Broken("", "does not contain it", wanted, got, differ=True)
            case "regex":
                if not isinstance(got, str):
                    return Broken("", "is no text", one.regex, got)
                return await self._search(str(one.regex), got)
            case "schema_":
                given = {"value": got, "schema": one.schema_, "expectations": [], "most": 5}
                told = await done_apart(self._apart, "judging", cast("dict[str, Value]", given))
                (judged,) = cast("list[JsonObject]", told)
                problems = cast("list[str]", judged["problems"])
                message = f"does not meet the schema: {'; '.join(problems)}"
                return None if judged["passed"] else Broken("", message, None, got)
            case _:
                return self._likeness(one, got, facts)

    async def _search(self, pattern: str, text: str) -> Broken | None:
        found = await self._finding(text, {}, pattern, 1)
        return None if found else Broken("", "has nothing that matches", pattern, text)

    async def _finding(
        self, source: JsonValue, paths: dict[str, str], pattern: str, most: int
    ) -> Value:
        given = {
            "source": source,
            "paths": paths,
            "pattern": pattern,
            "most": most,
            "every": bool(paths),
        }
        return await done_apart(self._apart, "finding", cast("dict[str, Value]", given))

    def _likeness(self, one: Expectation, got: JsonValue, facts: RunFacts) -> Broken | None:
        assert one.similar is not None
        to = fill(one.similar.to, facts.scope)
        if not isinstance(got, str) or not isinstance(to, str):
            return Broken("", "is no text", cast("JsonValue", to), got)
        first, second = self._sentences.embed([got, to])
        near = float(first @ second)
        if near >= one.similar.at_least:
            return None
        return Broken("", f"comes as near as {near:.2f}, not {one.similar.at_least:g}", to, got)


def _placed(said: Broken, one: Expectation, place: str, matcher: str) -> Broken:
    name = matcher.rstrip("_")
    of = f"{one.value} at {one.jsonpath}" if one.jsonpath else str(one.value)
    message = f"{of} {said.message}"
    return replace(said, place=f"{place}/{name}", message=message)


def _of_the_run(one: Expectation, facts: RunFacts, place: str) -> Iterator[Broken]:
    if one.status is not None and one.status != facts.status:
        said = f" ({facts.said})" if facts.failures else ""
        message = f"The run's status is {facts.status}{said}."
        yield Broken(f"{place}/status", message, one.status, facts.status, differ=True)
    for name in one.skipped or ():
        if name not in facts.skipped:
            yield Broken(f"{place}/skipped", f"{name!r} was not skipped.")
    if one.failure is not None:
        wanted = str(fill(one.failure.contains, facts.scope))
        if not facts.failures:
            yield Broken(f"{place}/failure", "The run did not fail.", wanted, None)
        elif wanted not in facts.said:
            message = "The run failed otherwise."
            yield Broken(f"{place}/failure", message, wanted, facts.said, differ=True)
    yield from _within(one.cost_usd, facts.cost_usd, f"{place}/costUsd", "The run's cost", "USD")
    yield from _within(one.tokens, facts.tokens, f"{place}/tokens", "The run", "tokens")
    elapsed = round(facts.seconds * 1000, 3)
    yield from _within(one.latency_ms, elapsed, f"{place}/latencyMs", "The run", "ms")


def _within(
    bound: Most | None, got: float | None, place: str, what: str, unit: str
) -> Iterator[Broken]:
    if bound is None:
        return
    if got is None:
        yield Broken(place, f"{what} is not known: a price is missing.", bound.max, None)
    elif got > bound.max:
        yield Broken(place, f"{what} took {got:g} {unit}, more than {bound.max:g}.", bound.max, got)


def _contains(got: JsonValue, wanted: JsonValue) -> bool:
    """Part of a text, an item of a list, or fields of an object, each as `wanted` has it."""
    match got, wanted:
        case str(), str():
            return wanted in got
        case dict(), dict():
            return all(
                name in got and (is_same(got[name], value) or _contains(got[name], value))
                for name, value in wanted.items()
            )
        case list(), list():
            return all(any(is_same(item, one) for item in got) for one in wanted)
        case list(), _:
            return any(is_same(item, wanted) for item in got)
        case _:
            return False


def _plain(value: Value) -> JsonValue:
    """The value as JSON; a table is the list of its rows, bytes are told of by their size."""
    match value:
        case Part() if value.media_type == TABLE:
            rows = frame_of(value).to_dict(orient="records")
            return split(pack(rows))[0]
        case Part():
            return dict(value.summary)
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case _:
            return value
