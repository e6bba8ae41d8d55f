"""Workflows and references to agents."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
    Entry(
        code="AF801",
        means="Two agents of a workflow become one node, since `-` becomes `_`.",
        example="`qa-check` and `qa_check`",
        advice="Rename one.",
    ),
    Entry(
        code="AF802",
        means="A workflow has no such agent.",
        example="`dependsOn: [clasifier]`",
        advice="Correct the name.",
    ),
    Entry(
        code="AF803",
        means="Two agents of a workflow have one name.",
        example="`name: qa` twice",
        advice="Rename one.",
    ),
    Entry(
        code="AF804",
        means="Agents of a workflow wait for each other in a circle.",
        example="`a` depends on `b`, `b` on `a`",
        advice="Take one of these out of its `dependsOn`.",
    ),
    Entry(
        code="AF805",
        means="Not a reference to an agent.",
        example="`image: QA`, `image: docker.io/qa`",
        advice="Write `name`, `agents/name:tag` or `name@sha256:…`.",
    ),
    Entry(
        code="AF806",
        means="There is no such agent, among the project's files and what is deployed.",
        example="`image: agents/clasifier:v1.2`",
        advice="Correct the name, or deploy it.",
    ),
    Entry(
        code="AF807",
        means="The agent has no such tag.",
        example="`image: agents/qa:v9`",
        advice="Correct it, or set `metadata.tag` in that agent's file.",
    ),
    Entry(
        code="AF808",
        means="A Python file that is not the builder's calls and literals alone; none is run.",
        example="`open('x').read()`, two documents in one file",
        advice="Write values out; make one `Agent` or `Workflow`.",
    ),
)
