"""CEL expressions: what the checker finds, and what evaluation gives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentflow_dagster.errors import RunError
from agentflow_dagster.graph.cel_messages import Fault
from agentflow_dagster.graph.cel_syntax import Read
from agentflow_dagster.graph.expressions import Checked, check, evaluate, reads
from agentflow_dagster.spec.values import BYTES, TABLE, Part
from tests.support.properties import OBJECTS, TEXTS, patiently

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject, JsonSchema, Value

ITEM: JsonSchema = {"type": "object", "properties": {"name": {"type": "string"}}}
INPUT: JsonSchema = {
    "type": "object",
    "properties": {
        "body": {"type": "string"},
        "count": {"type": "integer"},
        "price": {"type": "number"},
        "share": {"type": ["number", "null"]},
        "done": {"type": "boolean"},
        "items": {"type": "array", "items": ITEM},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "open": {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "additionalProperties": True,
        },
        "any": {},
        "free": True,
        "kind": {"enum": ["bug", "howto"]},
        "foo_bar": {"type": "string"},
        "fooBar": {"type": "integer"},
    },
}
NAMED: JsonSchema = {"type": "object", "properties": {"TOKEN": {"type": "string"}}}
SCOPE: dict[str, JsonSchema] = {
    "input": INPUT,
    "secret": NAMED,
    "env": {"type": "object", "properties": {}},
}


def schema(source: str) -> JsonSchema:
    checked = check(source, SCOPE)
    assert isinstance(checked, Checked), checked
    return checked.schema


def fault(source: str) -> Fault:
    found = check(source, SCOPE)
    assert isinstance(found, Fault), found
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("input.body", {"type": "string"}),
        ("input.items[0].name", {"type": "string"}),
        ("input.items", {"type": "array", "items": ITEM}),
        ("input.kind", {"enum": ["bug", "howto"]}),
        ("input.kind == 'bug'", {"type": "boolean"}),
        ("input.count + 1", {"type": "integer"}),
        ("input.price + 1.0", {"type": "number"}),
        ("input.share + 1.0", {"type": "number"}),
        ("input.share == null", {"type": "boolean"}),
        ("input.body + string(input.count)", {"type": "string"}),
        ("input.items.map(i, i.name)", {"type": "array", "items": {"type": "string"}}),
        ("input.headers['x-a']", {}),
        ("input.open.whatever", {}),
        ("input.any.thing", {}),
        ("input.free", {}),
        ("input.foo_bar + string(input.fooBar)", {"type": "string"}),
        ("has(input.body) ? input.body : 'none'", {"type": "string"}),
        ("'a,b'.split(',')", {"type": "array", "items": {"type": "string"}}),
        ("math.greatest(1, 2)", {"type": "integer"}),
        ("null", {"type": "null"}),
    ],
)
def test_what_an_expression_gives(source: str, expected: JsonSchema) -> None:
    assert schema(source) == expected


@pytest.mark.parametrize(
    ("source", "code", "message", "hint", "offset"),
    [
        ("", "AF201", "nothing between", "", 0),
        ("input.body +", "AF201", "ends too early", "Complete it", 12),
        ("foo(", "AF201", "ends too early", "close its brackets", 4),
        ("(input.body", "AF201", "')' is missing", "", 11),
        ("input.body input", "AF201", "'input' does not belong here", "operator", 11),
        ("1 +* 2", "AF201", "'*' does not belong here", "operator", 3),
        ("'abc", "AF201", "never closed", "Close it with the quote", 0),
        ("🎫", "AF201", "'🎫' is no part of an expression", "", 0),
        ("loop", "AF201", "'loop' is a reserved word", "Use another name", 0),
        ("inptu.body", "AF202", "called 'inptu'", "Did you mean 'input'?", 0),
        ("'x' + yz.a.b", "AF202", "called 'yz'", "Known here: env, input, secret.", 6),
        ("event.body", "AF202", "called 'event'", "a trigger's `input`", 0),
        ("input.bdy", "AF203", "no field 'bdy'", "Did you mean 'body'?", 6),
        ("'🎫' + input.bdy", "AF203", "no field 'bdy'", "Did you mean 'body'?", 12),
        ("1 +\n  input.zz", "AF203", "no field 'zz'", "Known here: any, body", 12),
        ("input.body.size", "AF203", "type string has no fields", "", 10),
        ("input.items.name", "AF203", "type list(object) has no fields", "", 11),
        ("input.price + 1", "AF204", "'+' does not apply to (double, int)", "1.0", 12),
        ("input.body + 1", "AF204", "'+' does not apply to (string, int)", "string()", 11),
        ("input.body > 1", "AF204", "'>' does not apply", "string()", 11),
        ("input['body']", "AF204", "'[ ]' does not apply to (object, string)", "a dot", 5),
        ("input.done ? 1 : 'a'", "AF204", "'? :'", "", 11),
        ("[[1]].map(a, a.map(b, b))", "AF205", "inside another", "code.python", 0),
        ("(" * 40 + "1" + ")" * 40, "AF205", "nested too deep", "code.python", 0),
        ("'" + "x" * 10_000 + "'", "AF205", "10,002 characters", "code.python", 0),
        ("secret.TOKN", "AF501", "'TOKN' is not declared", "Add TOKN to spec.secrets.", 7),
        ("has(secret.X)", "AF501", "'X' is not declared", "Add X to spec.secrets.", 11),
        ("'a' + env.HOME", "AF502", "'HOME' is not declared", "Add HOME to spec.env.", 10),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_wrong_with_an_expression(
    source: str, code: str, message: str, hint: str, offset: int
) -> None:
    found = fault(source)
    assert found.code == code
    assert message in found.message
    assert hint in found.hint
    assert found.offset == offset


@pytest.mark.parametrize("source", ["1 +", ")", "a b", "foo(", "[1", "{1:", "1 +* 2"])
def test_no_message_lists_the_tokens_of_the_grammar(source: str) -> None:
    found = fault(source)
    assert "NUM_FLOAT" not in found.message
    assert "{" not in found.message
    assert len(found.message) < 80


def test_a_name_that_is_nearly_a_secret() -> None:
    assert fault("secret.TOKN").hint == "Add TOKN to spec.secrets. Or did you mean 'TOKEN'?"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a.output.x", [Read("a", ("output", "x"))]),
        ("has(a.output)", [Read("a", ("output",), tested=True)]),
        ("a.b + c['d'].e", [Read("a", ("b",)), Read("c", ())]),
        ("a.b.exists(i, i.x == j.y)", [Read("a", ("b",)), Read("j", ("y",))]),
        ("{'k': a.b}", [Read("a", ("b",))]),
        ("'text'", []),
        ("a +", []),
        ("", []),
    ],
)
def test_what_an_expression_reads(source: str, expected: list[Read]) -> None:
    assert list(reads(source)) == expected


TABLE_PART = Part(TABLE, b"arrow", {"rows": 3, "columns": ["n"]})
VALUES: dict[str, Value] = {
    "input": {
        "body": "hi",
        "count": 3,
        "price": 2.0,
        "nothing": None,
        "items": [{"name": "a"}, {"name": "b"}],
        "huge": 10**30,
        "half": "\ud83c",
        "deep": {"er": {"est": 1}},
    },
    "load": {"output": TABLE_PART},
    "skipped": {},
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("input.body", "hi"),
        ("input.body + '!'", "hi!"),
        ("input.count + 1", 4),
        ("input.price * 2.0", 4.0),
        ("input.count > 2 && input.nothing == null", True),
        ("input.items.map(i, i.name)", ["a", "b"]),
        ("input.items.filter(i, i.name == 'b')", [{"name": "b"}]),
        ("input.deep", {"er": {"est": 1}}),
        ("has(skipped.output) ? skipped.output : null", None),
        ("has(input.deep.er) ? input.deep.er : null", {"est": 1}),
        ("input.huge", 10**30),
        ("input.huge > 1", True),
        ("size(input.half)", 1),
        ("load.output.rows", 3),
        ("load.output.rows > 2", True),
        ("load.output", TABLE_PART),
        ("has(load.output) ? load.output : null", TABLE_PART),
        ("[load.output]", [TABLE_PART]),
        ("[{1: 'a'}, {true: 'b'}]", [{"1": "a"}, {"true": "b"}]),
        ("b'ab'", Part(BYTES, b"ab", {"bytes": 2})),
        ("timestamp('2024-05-01T10:00:00Z')", "2024-05-01T10:00:00Z"),
        ("duration('90s')", "90s"),
        ("type(1)", "int"),
        ("1u", 1),
    ],
)
def test_evaluation(source: str, expected: Value) -> None:
    found = evaluate(source, VALUES)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("input.absent", "there is no 'absent'", ""),
        ("skipped.output.x", "there is no 'output'", ""),
        ("input.absent + 1", "Key not found", ""),
        ("input.count / 0", "divide by zero", ""),
        ("input.count + 1.5", "'+' does not apply to (int, double)", "1.0"),
        ("input.items[5]", "Index error", ""),
        ("int(input.body)", "cannot convert", ""),
        ("input.body.matches('[')", "invalid regular expression", ""),
        ("env.NOT_SET", "there is no 'env'", "Set the environment variable"),
        ("input +", "ends too early", ""),
    ],
)
def test_evaluation_that_fails(source: str, message: str, hint: str) -> None:
    with pytest.raises(RunError) as caught:
        evaluate(source, VALUES)
    assert message in caught.value.message
    assert caught.value.message.startswith(f"{{{{{source}}}}}: ")
    assert hint in caught.value.hint
    assert not caught.value.retryable


def test_the_number_of_steps_is_bounded() -> None:
    with pytest.raises(RunError, match="too many items") as caught:
        evaluate("n.exists(i, i < 0)", {"n": list(range(20_000))})
    assert "code.python" in caught.value.hint


def test_infinity_comes_through() -> None:
    assert evaluate("1e999", {}) == math.inf


GRAMMAR = st.lists(
    st.sampled_from(
        [
            *(
                "input",
                ".body",
                ".items",
                ".zz",
                "secret",
                "(",
                ")",
                "[",
                "]",
                "{",
                "}",
                "0",
                "1.5",
            ),
            *("'a'", '"', "'", "+", "-", "*", "/", "==", "<", "&&", "||", "!", "?", ":", ",", " "),
            *(
                "has(",
                ".map(i, i",
                "size(",
                "null",
                "true",
                "in",
                "\n",
                "é",
                "🎫",
                "\\",
                "b'",
                "1u",
            ),
            *("google.protobuf.Struct", "agentflow.T0", "type(", "//", "@", "x" * 50),
        ]
    ),
    max_size=30,
).map("".join)


@patiently(400)
@given(GRAMMAR | st.text(max_size=60))
@example("\ud83c")
@example("\x00")
@example("-" * 9_000 + "1")
@example("[" * 9_000)
@example("a." * 4_000 + "b")
def test_no_text_makes_the_checker_raise(source: str) -> None:
    checked = check(source, SCOPE)
    if isinstance(checked, Fault):
        assert checked.message
        assert 0 <= checked.offset <= len(source)
    assert isinstance(reads(source), tuple)


@patiently(150)
@given(GRAMMAR, OBJECTS)
def test_evaluation_gives_a_value_or_a_run_error(source: str, values: JsonObject) -> None:
    known: dict[str, Value] = {"input": {"body": "b", "items": [], "zz": None}, "secret": {}}
    scope = known | cast("dict[str, Value]", values)
    try:
        evaluate(source, scope)
    except RunError as failed:
        told = failed.message
    else:
        told = "{{"
    assert told.startswith("{{")


@patiently()
@given(st.dictionaries(TEXTS, st.booleans() | st.just({"type": "string"}), max_size=6))
def test_any_names_of_fields_can_be_declared(fields: dict[str, object]) -> None:
    known: JsonSchema = {"type": "object", "properties": fields}
    assert isinstance(check("x == x", {"x": known}), Checked)
