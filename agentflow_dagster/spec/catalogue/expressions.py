"""Expressions."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
    Entry(
        code="AF200",
        means="`{{` is never closed.",
        example='`"Hello {{input.name"`',
        advice="Close it with `}}`; a literal `{{` is written `{{'{{'}}`.",
    ),
    Entry(
        code="AF201",
        means="Not an expression.",
        example="`{{input.body +}}`, `{{a = b}}`",
        advice="Complete it; compare with `==`.",
    ),
    Entry(
        code="AF202",
        means="A name that nothing here has.",
        example="`{{inptu.body}}`, `{{secret.X}}` in `outputs`",
        advice=(
            "Correct it; the names are `input`, `run`, `env`, `secret` and the nodes, in a "
            "trigger `event` and `env`."
        ),
    ),
    Entry(
        code="AF203",
        means="A field that what is read does not have.",
        example="`{{classify.output.lable}}`",
        advice="Correct it, or declare it in the schema of the input or the output.",
    ),
    Entry(
        code="AF204",
        means="An operator or function does not apply to these types.",
        example="`{{input.price + 1}}` with a number",
        advice="Convert: `1.0`, `double(x)`, `string(x)`.",
    ),
    Entry(
        code="AF205",
        means="The expression is too long, nested too deep, or has a loop inside a loop.",
        example="`{{a.map(x, b.map(y, x + y))}}`",
        advice="Move the work into a `code.python` node.",
    ),
    Entry(
        code="AF206",
        means="An expression gives another type than its place takes.",
        example='`cases: {bug: "{{classify.output.label}}"}`',
        advice="Compare or convert: `… == 'bug'`, `string(…)`.",
    ),
    Entry(
        code="AF207",
        means=(
            "What is read may not be there: the node may have been skipped, or have gone its "
            "other way."
        ),
        example="an output `{{draft.output.text}}`, where `draft` follows one case of a switch",
        advice=(
            "Guard it: `{{has(draft.output) ? draft.output.text : ''}}`, or merge the ways "
            "with `logic.merge`."
        ),
    ),
    Entry(
        code="AF208",
        means="`when` holds no expression.",
        example="`when: yes`",
        advice='Write `when: "{{ … }}"`.',
    ),
    Entry(
        code="AF209",
        means="An expression stands in a program, which is taken as it stands.",
        example="`code: \"x = '{{input.body}}'\"`",
        advice="Give the value by `inputs`, and read it as a variable.",
    ),
)
