"""Works, but unwise."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
    Entry(
        code="AF701",
        severity="warning",
        means="Nobody chose how long an HTTP call may take.",
        example="`tool.http` without `timeout`, here or in `defaults`",
        advice="Set `timeout: 30s`.",
    ),
    Entry(
        code="AF702",
        severity="warning",
        means="A node whose output nobody reads, in an agent that has `outputs`.",
        example="a draft that no output names",
        advice="Read it, or take it out.",
    ),
    Entry(
        code="AF703",
        severity="warning",
        means="A secret is declared, and nothing reads it.",
        example="`secrets: [OLD_TOKEN]`",
        advice="Take it out.",
    ),
    Entry(
        code="AF704",
        severity="warning",
        means="A variable is declared, and nothing reads it.",
        example="`env: [HOST]`",
        advice="Take it out.",
    ),
    Entry(
        code="AF705",
        severity="warning",
        means="An input that nothing reads.",
        example="`properties: {subject: …}`",
        advice="Read it, or take it out.",
    ),
    Entry(
        code="AF706",
        severity="warning",
        means="A model is asked the same in every run.",
        example="`prompt: Write a poem.`",
        advice="Read the input or another node.",
    ),
    Entry(
        code="AF707",
        severity="warning",
        means="A secret is told to a model.",
        example='`prompt: "{{secret.TOKEN}}"`',
        advice="Use it in a tool node.",
    ),
    Entry(
        code="AF708",
        severity="warning",
        means="A secret is sent without encryption.",
        example='`url: "http://api.example.com"`',
        advice="Call it by https.",
    ),
    Entry(
        code="AF709",
        severity="warning",
        means="A loop asks models, and the agent has no budget.",
        example="`ai.chat` in the body of a `logic.loop`",
        advice="Set `budget: {perRunUsd: 0.50}`.",
    ),
)
