"""The file and its fields."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
    Entry(
        code="AF100",
        means="The file is larger than 5 MB.",
        example="a data set pasted into `with`",
        advice="Keep data in a file or a store, and read it in a node.",
    ),
    Entry(
        code="AF101",
        means="The file holds no mapping.",
        example="an empty file, or one that begins with `- `",
        advice="Begin with `apiVersion: agentflow.io/v1`.",
    ),
    Entry(
        code="AF102",
        means="The file is not YAML, or holds more than one document.",
        example="`prompt: Answer: yes`",
        advice="Quote texts that hold `: ` or begin with `{`, `[`, `@` or `*`; indent with spaces.",
    ),
    Entry(
        code="AF103",
        means="More than 500,000 values, aliases written out.",
        example="an alias of an alias of an alias",
        advice="Write out what is needed.",
    ),
    Entry(
        code="AF104",
        means="Nested more than 64 deep (100, where it is not YAML).",
        example="`[[[[…]]]]`",
        advice="Make it flatter.",
    ),
    Entry(
        code="AF105",
        means="A key is no text: mostly an unquoted expression.",
        example="`text: {{input.body}}`",
        advice='Quote it: `text: "{{input.body}}"`.',
    ),
    Entry(
        code="AF106",
        means="A merge key, which YAML 1.2 does not have.",
        example="`<<: *defaults`",
        advice="Write the fields out, or use `spec.defaults`.",
    ),
    Entry(
        code="AF107",
        means="A key stands twice in one mapping.",
        example="`timeout: 5s`, and below `timeout: 9s`",
        advice="Keep one.",
    ),
    Entry(
        code="AF108",
        means="A tag that is not allowed, or that does not fit its value.",
        example="`!python/object x`, `!!int abc`",
        advice="Take the tag out.",
    ),
    Entry(
        code="AF109",
        means="The file is not UTF-8.",
        example="a file saved as Latin-1",
        advice="Save it as UTF-8.",
    ),
    Entry(
        code="AF110",
        means="A field that does not exist here.",
        example="`maxAttempt: 3`",
        advice="Correct the name: the hint has the nearest one.",
    ),
    Entry(
        code="AF111",
        means="A field is missing.",
        example="`ai.chat` without `prompt`",
        advice="Add it.",
    ),
    Entry(
        code="AF112",
        means="A value of the wrong type, out of its range, or not in its form.",
        example='`backoff: exponental`, `maxAttempts: "3"`',
        advice="Write what the message asks for: `exponential`, `3`.",
    ),
    Entry(
        code="AF113",
        means="A name in a form that is not allowed.",
        example="a node `File Bug`",
        advice="Mostly lower-case letters, digits and `_`: `file_bug`.",
    ),
    Entry(
        code="AF114",
        means="`inputs` is not a JSON Schema, or refers to nothing in it.",
        example='`type: strng`, `$ref: "#/$defs/nope"`',
        advice="Correct the schema.",
    ),
    Entry(
        code="AF115",
        means="`inputs` does not describe an object.",
        example="`inputs: {type: string}`",
        advice="Write `type: object`, and the fields under `properties`.",
    ),
    Entry(
        code="AF116",
        means="A default does not meet its own schema.",
        example='`{type: integer, default: "1"}`',
        advice="Change the default, or the schema.",
    ),
    Entry(
        code="AF117",
        means="A value that JSON cannot hold.",
        example='`.nan`, `1e999`, half of a `"\\ud83c\\udfab"`',
        advice="Quote it where a text is meant.",
    ),
    Entry(
        code="AF118",
        means="A version of the format that this release does not know.",
        example="`apiVersion: agentflow.io/v2`",
        advice="Write `apiVersion: agentflow.io/v1`, or take a release that knows the other.",
    ),
    Entry(
        code="AF119",
        means="Not a duration.",
        example="`timeout: 30`, `delay: 5 min`",
        advice="A number with a unit, or several: `500ms`, `30s`, `5m`, `1h30m`.",
    ),
    Entry(
        code="AF120",
        means="Not a quantity of memory or of processor time.",
        example="`memory: 512 MB`, `cpu: 2`",
        advice="A number with a unit, in quotes where it has none: `256Mi`, `1Gi`; `200m`, `'2'`.",
    ),
)
