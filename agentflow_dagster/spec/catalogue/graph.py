"""The graph."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
    Entry(
        code="AF301",
        means="There is no such node kind.",
        example="`kind: ai.clasify`",
        advice="Correct it, or install the plugin that has it.",
    ),
    Entry(
        code="AF303",
        means="A node has a name that expressions keep for themselves.",
        example="a node `input`, `run` or `loop`",
        advice="Give it another name.",
    ),
    Entry(
        code="AF304",
        means="There is no such node.",
        example="`after: [clasify]`",
        advice="Correct the name.",
    ),
    Entry(
        code="AF305",
        means="A node with several ways out is named without one.",
        example="`after: [route]` behind a switch",
        advice="Name the way: `after: [route.bug]`.",
    ),
    Entry(
        code="AF306",
        means="A node has no such port.",
        example="`after: [route.bgu]`, or `x.error` without `onError`",
        advice="Correct it, or set `onError`.",
    ),
    Entry(
        code="AF307",
        means="A node that only chooses a way is read as if it had an output.",
        example="`{{route.output}}`",
        advice="Read the node that the choice was made by, or name the way under `after`.",
    ),
    Entry(
        code="AF308",
        means="A node reads its own output.",
        example="in `draft`: `{{draft.output.text}}`",
        advice="Read a node that runs before it.",
    ),
    Entry(
        code="AF310",
        means="Nodes wait for each other in a circle.",
        example="`a` is after `b`, `b` reads `a`",
        advice="Take one of these edges out.",
    ),
    Entry(
        code="AF311",
        severity="warning",
        means="Nothing comes after a case: a run that goes this way ends there.",
        example="`cases: {bug: …}`, and no `after: [route.bug]`",
        advice="Follow it, or leave the case to the default.",
    ),
    Entry(
        code="AF312",
        means="A node that can never run: no run has all that it waits for.",
        example="`after: [route.bug, route.other]`",
        advice="Write `join: any` where one of them is enough.",
    ),
    Entry(
        code="AF314",
        means="The agent has more than 5,000 nodes.",
        example="a generated document",
        advice="Cut it into several agents.",
    ),
    Entry(
        code="AF315",
        means="A node inside a body has a name that is taken around it.",
        example="a node `draft` in a loop's body, beside the loop another `draft`",
        advice="Give one of them another name.",
    ),
    Entry(
        code="AF316",
        means="What a body calls its item is a name that is taken.",
        example="`as: draft` in a loop beside a node `draft`",
        advice="Choose another name under `as`.",
    ),
    Entry(
        code="AF317",
        means="Bodies stand too deep inside each other.",
        example="a loop in a loop in a loop in a loop",
        advice="Make the inner part an agent of its own, and run it with `agent.run`.",
    ),
)
