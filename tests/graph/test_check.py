"""The checks of a whole agent: each problem with its code, pointer, place in the file and hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import DocumentError
from agentflow_dagster.graph.check import SCOPE_NAMES, plan_of
from agentflow_dagster.graph.expressions import RESERVED
from agentflow_dagster.nodes import builtin_kinds
from tests.support.documents import (
    SAMPLE,
    codes,
    minimal,
    placed,
    problems,
    sample,
)
from tests.support.slips import Slip, is_told

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

CHAT: JsonObject = {"kind": "ai.chat", "with": {"prompt": "hi"}}


SLIPS = [
    Slip(
        '{text: "{{input.body}}"',
        '{text: "{{input.body"',
        "AF200",
        "/spec/nodes/classify/with/text",
        "text:",
        "never closed",
        "Close it with '}}'",
    ),
    Slip(
        "label == 'bug'",
        "label = 'bug'",
        "AF201",
        "/spec/nodes/route/with/cases/bug",
        "bug:",
        "is no part of an expression",
    ),
    Slip(
        "{{event.body.text}}",
        "{{evnt.body.text}}",
        "AF202",
        "/spec/triggers/tickets/input/body",
        "body:",
        "called 'evnt'",
        "Did you mean 'event'?",
    ),
    Slip(
        "label == 'bug'",
        "labl == 'bug'",
        "AF203",
        "/spec/nodes/route/with/cases/bug",
        "bug:",
        "character 19",
        "Did you mean 'label'?",
    ),
    Slip(
        "Reply to: {{input.body}}",
        "Reply to: {{input.body + 1}}",
        "AF204",
        "/spec/nodes/draft/with/prompt",
        "prompt:",
        "(string, int)",
        "string()",
    ),
    Slip(
        "Reply to: {{input.body}}",
        "{{[[1]].map(a, a.map(b, b))}}",
        "AF205",
        "/spec/nodes/draft/with/prompt",
        "prompt:",
        "inside another",
        "code.python",
    ),
    Slip(
        "{{classify.output.label == 'bug'}}",
        "{{classify.output.label}}",
        "AF206",
        "/spec/nodes/route/with/cases/bug",
        "bug:",
        "takes a boolean",
        "Compare it",
    ),
    Slip(
        '"{{done.output}}"',
        '"{{draft.output}}"',
        "AF207",
        "/spec/outputs/answer",
        "answer:",
        "'draft' may have been skipped",
        "Guard it: has(draft.output) ? draft.output : …, a value of the same type.",
    ),
    Slip(
        '{kind: ai.chat, after: [route.other], with: {prompt: "Reply to: {{input.body}}"}}',
        "{kind: code.python, with: {code: \"x = '{{input.body}}'\"}}",
        "AF209",
        "/spec/nodes/draft/with/code",
        "code:",
        "'input' is not written into it",
        "`inputs`",
    ),
    Slip(
        "kind: ai.classify",
        "kind: ai.clasify",
        "AF301",
        "/spec/nodes/classify/kind",
        "kind:",
        "'ai.clasify'",
        "Did you mean 'ai.classify'?",
    ),
    Slip(
        "    draft:",
        "    loop:",
        "AF303",
        "/spec/nodes/loop",
        "loop:",
        "'loop'",
        "another name",
    ),
    Slip(
        "from: [file_bug, draft]",
        "from: [file_bug, drat]",
        "AF304",
        "/spec/nodes/done/with",
        "with:",
        "no node 'drat'",
        "Did you mean 'draft'?",
    ),
    Slip(
        "after: [route.bug]",
        "after: [rout.bug]",
        "AF304",
        "/spec/nodes/file_bug/after/0",
        "rout.bug",
        "no node 'rout'",
        "Did you mean 'route'?",
    ),
    Slip(
        "after: [route.bug]",
        "after: [route]",
        "AF305",
        "/spec/nodes/file_bug/after/0",
        "route]",
        "several ways out",
        "route.bug, route.other",
    ),
    Slip(
        "after: [route.bug]",
        "after: [route.bgu]",
        "AF306",
        "/spec/nodes/file_bug/after/0",
        "route.bgu",
        "no port 'bgu'",
        "Did you mean 'bug'?",
    ),
    Slip(
        "after: [route.bug]",
        "after: [classify.error]",
        "AF306",
        "/spec/nodes/file_bug/after/0",
        "classify.error",
        "no port 'error'",
        "Set onError on",
    ),
    Slip(
        "Reply to: {{input.body}}",
        "{{route.output}}",
        "AF307",
        "/spec/nodes/draft/with/prompt",
        "prompt:",
        "only chooses a way",
        "`after`",
    ),
    Slip(
        '"{{done.output}}"',
        '"{{route.output}}"',
        "AF307",
        "/spec/outputs/answer",
        "answer:",
        "only chooses a way",
        "`after`",
    ),
    Slip(
        "from: [file_bug, draft]",
        "from: [file_bug, route]",
        "AF307",
        "/spec/nodes/done/with",
        "with:",
        "only chooses a way",
        "`after`",
    ),
    Slip(
        "Reply to: {{input.body}}",
        "{{draft.output.text}}",
        "AF308",
        "/spec/nodes/draft/with/prompt",
        "prompt:",
        "reads its own output",
        "before it",
    ),
    Slip(
        "after: [route.bug]",
        "after: [done]",
        "AF310",
        "/spec/nodes/done",
        "done:",
        "done -> file_bug -> done",
        "Take one of these edges out",
    ),
    Slip(
        "Bearer {{secret.TRACKER_TOKEN}}",
        "Bearer {{secret.TRACKER_TOKE}}",
        "AF501",
        "/spec/nodes/file_bug/with/headers/authorization",
        "authorization:",
        "'TRACKER_TOKE' is not declared",
        "Add TRACKER_TOKE to spec.secrets.",
    ),
    Slip(
        "{{env.TRACKER}}",
        "{{env.TRACKR}}",
        "AF502",
        "/spec/nodes/file_bug/with/url",
        "url:",
        "'TRACKR' is not declared",
        "Add TRACKR to spec.env.",
    ),
]


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_is_told_with_its_place(slip: Slip) -> None:
    is_told(slip)


def test_nothing_is_wrong_with_the_sample() -> None:
    assert placed(SAMPLE) == ()


def test_a_condition_is_an_expression_of_a_boolean() -> None:
    (found,) = problems(minimal({"a": {**CHAT, "when": "yes"}}))
    assert (found.code, found.pointer) == ("AF208", "/spec/nodes/a/when")
    assert (found.message, found.hint) == ("`when` holds no expression.", 'Write it as "{{ … }}".')
    (found,) = problems(minimal({"a": {**CHAT, "when": "{{run.id}}"}}))
    assert (found.code, found.pointer) == ("AF206", "/spec/nodes/a/when")
    (found,) = problems(minimal({"a": {**CHAT, "when": "{{true}}!"}}))
    assert (found.code, found.pointer) == ("AF206", "/spec/nodes/a/when")
    assert codes(minimal({"a": {**CHAT, "when": "{{run.id == 'y'}}"}})) == []


def test_problems_of_all_parts_are_told_at_once() -> None:
    text = (
        SAMPLE.replace("kind: ai.classify", "kind: ai.clasify")
        .replace("0 9 * * 1-5", "0 99 * * *")
        .replace('subject: "{{event', 'sbject: "{{event')
    )
    assert {d.code for d in placed(text) if d.severity == "error"} == {"AF301", "AF401", "AF405"}


@pytest.mark.parametrize("name", sorted((RESERVED | SCOPE_NAMES) - {"as", "in"}))
def test_no_node_takes_a_word_of_expressions(name: str) -> None:
    assert codes(minimal({name: CHAT})) == ["AF303"]


@pytest.mark.parametrize(
    "name", ["size", "has", "filter", "exists", "agentflow", "google", "x", "matches", "strings"]
)
def test_other_words_may_be_names(name: str) -> None:
    given = minimal({name: CHAT}, outputs={"out": f"{{{{{name}.output.text}}}}"})
    assert codes(given) == []


def test_names_in_after_are_judged_before_expressions() -> None:
    given = minimal({"a": {**CHAT, "after": ["nobody"], "when": "{{nonsense.x}}"}})
    assert codes(given) == ["AF304"]


def test_on_error_names_a_node() -> None:
    found = problems(minimal({"a": {**CHAT, "onError": {"to": "nobody"}}}))
    assert [(d.code, d.pointer) for d in found] == [("AF304", "/spec/nodes/a/onError/to")]


def test_an_expression_may_stand_for_a_typed_field() -> None:
    given = minimal(
        {
            "call": {
                "kind": "tool.http",
                "with": {"url": "http://h/", "query": {"n": "{{input.n}}"}},
            }
        },
        inputs={"type": "object", "properties": {"n": {"type": "integer"}}},
    )
    assert codes(given) == []


def test_labels_may_be_an_expression() -> None:
    given = minimal(
        {
            "sort": {"kind": "ai.classify", "with": {"text": "x", "labels": "{{input.labels}}"}},
            "then": {"kind": "ai.chat", "with": {"prompt": "{{sort.output.label}}"}},
        },
        inputs={"type": "object", "properties": {"labels": {"type": "object"}}},
    )
    assert codes(given) == []


@pytest.mark.parametrize(
    ("kind", "config", "pointer"),
    [
        ("logic.switch", {"cases": "{{input.cases}}"}, "/spec/nodes/a/with/cases"),
        (
            "logic.switch",
            {"cases": {"x": True}, "default": "{{'y'}}"},
            "/spec/nodes/a/with/default",
        ),
        ("logic.merge", {"from": "{{input.from}}"}, "/spec/nodes/a/with/from"),
        ("code.python", {"code": "x = 1", "outputs": "{{'x'}}"}, "/spec/nodes/a/with/outputs"),
    ],
)
def test_what_decides_the_graph_is_no_expression(
    kind: str, config: JsonObject, pointer: str
) -> None:
    (found,) = problems(minimal({"a": {"kind": kind, "with": config}}))
    assert found.code in {"AF112", "AF113"}
    assert found.pointer == pointer


def test_the_escape_of_braces_may_stand_in_a_program() -> None:
    given = minimal({"a": {"kind": "code.python", "with": {"code": "x = f\"{{'{{'}}1}}\""}}})
    assert codes(given) == []


def test_an_error_is_read_only_where_it_is_handled() -> None:
    unhandled = minimal(
        {"a": CHAT, "b": {"kind": "ai.chat", "with": {"prompt": "{{a.error.message}}"}}}
    )
    assert codes(unhandled) == ["AF203"]
    handled = minimal(
        {
            "a": {**CHAT, "onError": {"to": "b"}},
            "b": {"kind": "ai.chat", "with": {"prompt": "{{a.error.message}}"}},
        }
    )
    assert codes(handled) == []


def test_secrets_are_for_nodes_alone() -> None:
    given = minimal({"a": CHAT}, secrets=["T"], outputs={"leak": "{{secret.T}}"})
    (found,) = problems(given)
    assert (found.code, found.pointer) == ("AF202", "/spec/outputs/leak")
    assert found.hint == "Secrets are read in nodes alone."


def test_an_input_is_declared_before_it_is_read() -> None:
    (found,) = problems(minimal({"a": {**CHAT, "when": "{{input.go == 'y'}}"}}))
    assert (found.code, found.hint) == ("AF203", "Declare it under spec.inputs.properties.")


def test_run_and_inputs_without_a_type_are_known() -> None:
    given = minimal(
        {"a": {"kind": "ai.chat", "with": {"prompt": "{{run.id}} {{input.zz}}"}}},
        inputs={"properties": {"body": {"type": "string"}}},
    )
    (found,) = problems(given)
    assert (found.code, found.hint) == ("AF203", "Known here: body.")


def test_a_stored_document_that_is_unsound() -> None:
    with pytest.raises(DocumentError) as caught:
        plan_of(minimal({"a": {"kind": "ai.nothing"}}), builtin_kinds())
    assert [d.code for d in caught.value.diagnostics] == ["AF301"]
    with pytest.raises(DocumentError):
        plan_of({}, builtin_kinds())
    assert plan_of(sample(), builtin_kinds()).agent.name == "support-triage"
