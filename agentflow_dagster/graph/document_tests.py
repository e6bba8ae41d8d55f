"""A document's tests: every node they name is there, and what they give and expect is sound."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from agentflow_dagster.graph import inputs, templates
from agentflow_dagster.graph.expression_types import base_scope, node_schema
from agentflow_dagster.spec.diagnostics import Diagnostic, error, nearest, pointer
from agentflow_dagster.spec.schemas import properties

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agentflow_dagster.graph.graph_check import CheckedGraph
    from agentflow_dagster.graph.templates import Path
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.tests import AgentTest, Expectation
    from agentflow_dagster.spec.values import JsonSchema, JsonValue

_ROUND = re.compile(r"\[[0-9]+\]")


def check_tests(
    agent: Agent, checked: CheckedGraph, rows: Mapping[str, JsonSchema]
) -> Iterator[Diagnostic]:
    """Everything that can be wrong with an agent's tests.

    Args:
        agent: It passed the checks of its graph.
        checked: What they found out.
        rows: JSON Schema of a row of each data set, as far as its file can be read here.
    """
    for name, test in agent.spec.tests.items():
        yield from _Checking(agent, checked, test, ("spec", "tests", name), rows).all()


def every_round(path: str) -> str:
    """The path of a node in bodies, for whichever round: `each[2].draft` is `each.draft`."""
    return _ROUND.sub("", path)


def value_template(path: str) -> str:
    """An expectation's `value` as one expression in braces."""
    return path if path.startswith("{{") else f"{{{{{path}}}}}"


class _Checking:
    """The checks of one test."""

    def __init__(
        self,
        agent: Agent,
        checked: CheckedGraph,
        test: AgentTest,
        path: Path,
        rows: Mapping[str, JsonSchema],
    ) -> None:
        self._agent = agent
        self._checked = checked
        self._test = test
        self._path = path
        self._schema = cast("JsonSchema", agent.spec.inputs)
        self._case: dict[str, JsonSchema] = (
            {"case": rows.get(test.cases.file, {})} if test.cases else {}
        )

    def all(self) -> Iterator[Diagnostic]:
        """In the order of the document."""
        test = self._test
        if test.node is not None:
            yield from self._named([test.node], (*self._path, "node"))
        yield from self._idle()
        yield from self._named(test.given, (*self._path, "given"), keys=True)
        for name, value in test.given.items():
            yield from self._stands_in(self._find(name), value, (*self._path, "given", name))
        yield from self._check_input()
        yield from self._check_partition()
        yield from self._check_mocks()
        if test.cases is not None and test.cases.where is not None:
            where = templates.TemplateText((*self._path, "cases", "where"), test.cases.where)
            schema, problems = templates.check_text(where, self._case)
            yield from problems or templates.check_fit(where.path, schema, {"type": "boolean"})
        for index, expectation in enumerate(test.expect):
            yield from self._check_expectation(expectation, (*self._path, "expect", index))

    def _idle(self) -> Iterator[Diagnostic]:
        """What says nothing without something else."""
        if self._test.given and self._test.node is None:
            hint = "Add `node`, or use `mocks`."
            place = pointer(*self._path, "given")
            yield error("AF858", "`given` is for a test of one `node`.", pointer=place, hint=hint)
        if "pass_rate" in self._test.model_fields_set and self._test.cases is None:
            hint = "Add `cases`, or take this out."
            place = pointer(*self._path, "passRate")
            yield error("AF858", "`passRate` is for several `cases`.", pointer=place, hint=hint)

    def _named(
        self, names: Iterable[str], path: Path, *, keys: bool = False
    ) -> Iterator[Diagnostic]:
        known = self._checked.graph.nodes
        for name in names:
            if name not in known:
                place = pointer(*path, name) if keys else pointer(*path)
                yield _no_node(name, place, known)

    def _find(self, path: str) -> tuple[CheckedGraph, str] | None:
        """The graph and name of the node at a path; None where there is none."""
        graph = self._checked
        steps = every_round(path).split(".")
        while len(steps) > 1:
            bodies = graph.bodies.get(steps.pop(0)) or {}
            if set(bodies) == {"body"}:  # A loop's: runs of it are told apart by number.
                graph = bodies["body"]
            elif steps[0] in bodies and len(steps) > 1:
                graph = bodies[steps.pop(0)]
            else:
                return None
        return (graph, steps[0]) if steps[0] in graph.graph.nodes else None

    def _check_mocks(self) -> Iterator[Diagnostic]:
        for path, mock in self._test.mocks.items():
            place = (*self._path, "mocks", path)
            found = self._find(path)
            if found is None:
                yield _no_node(path, pointer(*place), self._checked.graph.nodes)
                continue
            graph, name = found
            if mock.port is not None and mock.port not in graph.ports[name]:
                message = f"{path!r} has no port {mock.port!r}."
                hint = nearest(mock.port, graph.ports[name])
                yield error("AF857", message, pointer=pointer(*place, "port"), hint=hint)
            if "output" in mock.model_fields_set:
                yield from self._stands_in(found, mock.output, (*place, "output"))

    def _stands_in(
        self, node: tuple[CheckedGraph, str] | None, value: JsonValue, path: Path
    ) -> Iterator[Diagnostic]:
        """Whether a value can stand for a node's output; fields may be left out."""
        yield from self._texts(value, path, self._case)
        if node is None or any(templates.find(value, ())):
            return
        schema = node[0].types[node[1]]
        if said := inputs.misfit(schema, value):
            yield error(
                "AF856",
                f"{node[1]!r} never puts this out: {said}.",
                pointer=pointer(*path),
                hint="Write it as the node's kind describes its output.",
            )

    def _check_input(self) -> Iterator[Diagnostic]:
        known, given = properties(self._schema), self._test.input
        path = (*self._path, "input")
        for name, value in given.items():
            place = (*path, name)
            texts = list(templates.find(value, place))
            for text in texts:
                found, problems = templates.check_text(text, self._case)
                yield from problems
                if text.path == place and not problems:
                    wanted = known.get(name, {})
                    yield from templates.check_fit(place, found, wanted)
            if known and name not in known and "additionalProperties" not in self._schema:
                message = f"The agent has no input {name!r}."
                hint = nearest(name, known)
                yield error("AF855", message, pointer=pointer(*place), hint=hint)
            elif not texts and (said := inputs.mismatch(self._schema, name, value)):
                yield error(
                    "AF855",
                    f"The input {name!r} does not meet the agent's schema: {said}.",
                    pointer=pointer(*place),
                    hint="Change the value, or the schema under spec.inputs.",
                )
        if self._test.node is not None:
            return  # It may read none of it.
        for name in cast("list[str]", self._schema.get("required") or []):
            if name not in given and "default" not in known.get(name, {}):
                message = f"The input {name!r} is required, and this test does not give it."
                hint = f"Add `input: {{{name}: …}}` to the test."
                yield error("AF855", message, pointer=pointer(*self._path), hint=hint)

    def _check_partition(self) -> Iterator[Diagnostic]:
        given, place = self._test.partition, (*self._path, "partition")
        if given is not None:
            yield from self._texts(given, place, self._case)
        if given is not None and self._agent.spec.partitions is None:
            message = "`partition` is for an agent with `partitions`."
            yield error("AF858", message, pointer=pointer(*place), hint="Take it out.")
        elif given is None and self._agent.spec.partitions and self._test.node is None:
            message = "The agent is partitioned, and this test does not say `partition`."
            hint = "Add `partition: KEY`."
            yield error("AF858", message, pointer=pointer(*self._path), hint=hint)

    def _check_expectation(self, one: Expectation, path: Path) -> Iterator[Diagnostic]:
        if one.skipped:
            yield from self._named(one.skipped, (*path, "skipped"))
        if one.value is not None:
            text = templates.TemplateText((*path, "value"), value_template(one.value))
            yield from templates.check_text(text, self._scope())[1]
        if one.jsonpath is not None and (said := _wrong_jsonpath(one.jsonpath)):
            message = f"Not a JSONPath: {said}."
            yield error("AF854", message, pointer=pointer(*path, "jsonpath"))
        if one.schema_ is not None and (unsound := inputs.unsound(one.schema_)):
            where, message = unsound
            yield error("AF853", message, pointer=pointer(*path, "schema", *where))
        yield from self._check_regex(one, path)
        given: dict[str, JsonValue] = {"equals": one.equals, "contains": one.contains}
        if one.similar is not None:
            yield from self._texts(one.similar.to, (*path, "similar", "to"), self._case)
        if one.failure is not None:
            yield from self._texts(one.failure.contains, (*path, "failure", "contains"), self._case)
        for name, value in given.items():
            yield from self._texts(value, (*path, name), self._case)

    def _check_regex(self, one: Expectation, path: Path) -> Iterator[Diagnostic]:
        if one.regex is None:
            return
        place = (*path, "regex")
        if any(templates.find(one.regex, ())):
            message = "A pattern is a program: no value is written into it."
            hint = "Use `contains` for a value of the case."
            yield error("AF852", message, pointer=pointer(*place), hint=hint)
            return
        try:
            re.compile(one.regex)
        except (re.error, RecursionError, OverflowError) as problem:
            message = f"Not a regular expression: {problem}."
            yield error("AF852", message, pointer=pointer(*place))

    def _texts(
        self, value: JsonValue, path: Path, scope: Mapping[str, JsonSchema]
    ) -> Iterator[Diagnostic]:
        for text in templates.find(value, path):
            yield from templates.check_text(text, scope)[1]

    def _scope(self) -> dict[str, JsonSchema]:
        """What an expectation's `value` may read."""
        checked, test = self._checked, self._test
        seen = {
            name: node_schema(checked.types[name], checked.ports[name])
            for name in checked.graph.nodes
            if test.node is None or name == test.node or name in test.given
        }
        outputs = {"outputs": checked.outputs} if test.node is None else {}
        return {**seen, "input": base_scope(self._agent)["input"], **self._case, **outputs}


def _no_node(name: str, place: str, known: Iterable[str]) -> Diagnostic:
    hint = nearest(name, known)
    return error("AF851", f"There is no node {name!r}.", pointer=place, hint=hint)


def _wrong_jsonpath(path: str) -> str:
    from jsonpath import JSONPathEnvironment, JSONPathError

    try:
        JSONPathEnvironment(strict=True).compile(path)
    except (JSONPathError, RecursionError) as problem:
        return str(problem).splitlines()[0] if str(problem) else type(problem).__name__
    return ""
