"""Tests in the document."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
    Entry(
        code="AF851",
        means="A test names a node that there is not.",
        example="`mocks: {file_bgu: {output: {}}}`",
        advice="Write a node's name; in bodies its path, such as `each.draft`.",
    ),
    Entry(
        code="AF852",
        means="`regex` is no regular expression of Python, or holds `{{ }}`.",
        example="`regex: 'T-(\\d+'`",
        advice="Close what is open; for a value of the case, use `contains`.",
    ),
    Entry(
        code="AF853",
        means="`schema` of an expectation is no JSON Schema.",
        example="`schema: {type: strng}`",
        advice="The types are string, number, integer, boolean, object, array and null.",
    ),
    Entry(
        code="AF854",
        means="`jsonpath` is no JSONPath (RFC 9535).",
        example="`jsonpath: items[`",
        advice="Begin with `$`, as in `$.items[*].title`.",
    ),
    Entry(
        code="AF855",
        means="The input of a test does not meet `spec.inputs`.",
        example="`input: {bdy: It crashes.}`",
        advice="Give what the schema requires, by the names that it has.",
    ),
    Entry(
        code="AF856",
        means="What stands in for a node's output is nothing that the node can put out.",
        example="`mocks: {draft: {output: {text: 5}}}`",
        advice="Write it as the node's kind describes its output; fields may be left out.",
    ),
    Entry(
        code="AF857",
        means="A mock leaves by a port that the node does not have.",
        example="`mocks: {route: {port: bgu}}`",
        advice="Name one of the node's ports.",
    ),
    Entry(
        code="AF858",
        means="A part of a test says nothing without another.",
        example="`passRate: 0.9` without `cases`",
        advice="Add what is missing, or take it out.",
    ),
    Entry(
        code="AF859",
        severity="warning",
        means="The data set of a test cannot be read here.",
        example="`cases: {file: tickts.jsonl}`",
        advice="Put it below the data folder: `notebooks/data`, or what `AGENTFLOW_DATA` names.",
    ),
)
