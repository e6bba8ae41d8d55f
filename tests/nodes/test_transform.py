"""`transform.format` and `transform.extract`, with the real child process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import pytest

from agentflow_dagster.errors import CodeError, RunError
from agentflow_dagster.nodes.transform_extract import Extract, ExtractConfig
from agentflow_dagster.nodes.transform_format import Format, FormatConfig
from agentflow_dagster.sandbox import ChildProcess
from agentflow_dagster.spec.values import pack
from tests.support.contexts import context
from tests.support.documents import codes, minimal, plan, problems

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, Value

SHOP: dict[str, Value] = {
    "name": "s",
    "items": [{"t": "a", "p": 5}, {"t": "b", "p": 15}, {"t": "c", "p": 25}],
}
INPUTS: JsonObject = {"properties": {"body": {"type": "string"}}}


async def formatted(template: str, **more: Any) -> Value:
    given = context(code=ChildProcess(), timeout=20.0)
    return (await Format().run(given, FormatConfig(template=template, **more))).output


async def extracted(source: Value, *, seconds: float = 20.0, **config: Any) -> Value:
    given = context(code=ChildProcess(), timeout=seconds)
    return (
        await Extract().run(given, ExtractConfig.model_validate({"from": source, **config}))
    ).output


class TestFormat:
    async def test_a_template_is_filled(self) -> None:
        template = "Dear {{ name }},\n{% for i in items %}{{ loop.index }}. {{ i.t }}\n{% endfor %}"
        items = cast("Any", SHOP)["items"][:2]
        said = await formatted(template, values={"name": "<Ann>", "items": items})
        assert said == {"text": "Dear <Ann>,\n1. a\n2. b\n"}
        assert await formatted("{{ x }}", values={"x": "<"}, escape="html") == {"text": "&lt;"}

    async def test_a_table_is_its_rows(self) -> None:
        table = pack(pd.DataFrame({"a": [1, 2]}))
        said = await formatted("{% for r in t %}{{ r.a }};{% endfor %}", values={"t": table})
        assert said == {"text": "1;2;"}

    @pytest.mark.parametrize(
        "template",
        [
            "{{ ''.__class__.__mro__ }}",
            "{{ values.append(1) }}",
            "{{ values.nope }}",
            "{{ values[0] / 0 }}",
            "{% include 'x' %}",
        ],
    )
    async def test_what_a_template_may_not(self, template: str) -> None:
        with pytest.raises(RunError, match="The template failed"):
            await formatted(template, values={"values": [1]})

    async def test_its_text_is_bounded(self) -> None:
        endless = "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}"
        with pytest.raises(RunError, match="more than 1,000 characters"):
            await formatted(endless, max_length=1_000)
        with pytest.raises((CodeError, RunError)):
            await formatted("{{ 'x' * n }}", values={"n": 10**11})

    @pytest.mark.parametrize(
        ("config", "told"),
        [
            ({"template": "a\n{% if %}"}, "line 2 of the template"),
            ({"template": "{{ name }}"}, "reads 'name', which `values` does not name"),
            ({"template": "x", "values": {"a-b": 1}}, "values"),
        ],
    )
    def test_what_is_wrong_with_a_template(self, config: JsonObject, told: str) -> None:
        (found,) = problems(minimal({"f": {"kind": "transform.format", "with": config}}))
        assert found.code in {"AF112", "AF113"}
        assert told in f"{found.message} {found.pointer}"

    def test_braces_are_the_templates(self) -> None:
        config: JsonObject = {"template": "{{ body }}", "values": {"body": "{{input.body}}"}}
        nodes: JsonObject = {"f": {"kind": "transform.format", "with": config}}
        assert codes(minimal(nodes, inputs=INPUTS)) == []


class TestExtract:
    async def test_paths(self) -> None:
        paths = {"name": "$.name", "last": "$.items[-1].t", "dear": "$.items[?@.p > 10].t"}
        found = await extracted(SHOP, paths=paths)
        assert found == {"name": "s", "last": "c", "dear": ["b", "c"]}

    async def test_nothing_at_a_path(self) -> None:
        paths = {"x": "$.nope", "y": "$.nope[*]"}
        assert await extracted(SHOP, paths=paths, onMissing="omit") == {"y": []}
        with pytest.raises(RunError, match=r"finds nothing at '\$.nope'"):
            await extracted(SHOP, paths=paths)

    async def test_a_pattern(self) -> None:
        pattern = r"(?P<key>\w+)=(?P<value>\w+)?"
        found = await extracted("a=1 b=", pattern=pattern)
        assert found == {"key": "a", "value": "1"}
        every = await extracted("a=1 b=", pattern=pattern, matches="all")
        assert every == {"matches": [{"key": "a", "value": "1"}, {"key": "b", "value": ""}]}

    async def test_no_match(self) -> None:
        assert await extracted("x", pattern="(?P<a>y)", onMissing="omit") == {}
        with pytest.raises(RunError, match="finds nothing by its pattern"):
            await extracted("x", pattern="(?P<a>y)")
        with pytest.raises(RunError, match="is no text"):
            await extracted([1], pattern="(?P<a>y)")

    async def test_work_without_end_is_stopped(self) -> None:
        with pytest.raises(CodeError, match=r"limit of 0\.5 s"):
            await extracted("a" * 60, seconds=0.5, pattern="(?P<a>(a+)+)$b")

    async def test_what_is_found_is_bounded(self) -> None:
        with pytest.raises(RunError, match="more than 100,000"):
            await extracted("a" * 100_001, pattern="(?P<a>a)", matches="all")

    @pytest.mark.parametrize(
        ("config", "schema"),
        [
            (
                {"paths": {"a": "$.x[0]", "b": "$..x"}},
                {"properties": {"a": {}, "b": {"type": "array"}}, "required": ["a", "b"]},
            ),
            (
                {"paths": {"a": "$.x", "b": "$[*]"}, "onMissing": "omit"},
                {"properties": {"a": {}, "b": {"type": "array"}}, "required": ["b"]},
            ),
            (
                {"pattern": "(?P<n>x)"},
                {"properties": {"n": {"type": "string"}}, "required": ["n"]},
            ),
        ],
    )
    def test_what_it_puts_out_is_known(self, config: JsonObject, schema: JsonObject) -> None:
        nodes: JsonObject = {"e": {"kind": "transform.extract", "with": {"from": "x", **config}}}
        known = plan(minimal(nodes)).step("e").output_schema
        assert known == {"type": "object", **schema, "additionalProperties": False}

    @pytest.mark.parametrize(
        "config",
        [
            {},
            {"paths": {"a": "$.x"}, "pattern": "(?P<a>x)"},
            {"paths": {"a": "x"}},
            {"paths": {"a": "$.["}},
            {"pattern": "(?P<a>x"},
            {"pattern": "x"},
        ],
    )
    def test_what_is_wrong_with_a_config(self, config: JsonObject) -> None:
        nodes: JsonObject = {"e": {"kind": "transform.extract", "with": {"from": "x", **config}}}
        assert codes(minimal(nodes)) == ["AF112"]
