"""Notebooks."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
    Entry(
        code="AF601",
        means="The file is not a Jupyter notebook of format 4.",
        example="a notebook of format 3",
        advice="Save it with a current JupyterLab.",
    ),
    Entry(
        code="AF602",
        means="The file is too large.",
        example="outputs with large pictures",
        advice="Clear the outputs.",
    ),
    Entry(
        code="AF603",
        means="A `%%node` line cannot be understood.",
        example="`%%node` without a name",
        advice="Write `%%node name`.",
    ),
    Entry(
        code="AF604",
        means="Two cells have the same node name.",
        example="`%%node total` twice",
        advice="Rename one.",
    ),
    Entry(
        code="AF605",
        means="A cell that ships uses a notebook magic.",
        example="`%time x = f()`",
        advice="Move it to a cell that does not ship.",
    ),
    Entry(
        code="AF606",
        means="A cell that ships is not Python.",
        example="`x = `",
        advice="Complete it.",
    ),
    Entry(
        code="AF607",
        means="A cell that ships awaits at its top level.",
        example="`x = await fetch()`",
        advice="Put it into a function and call `asyncio.run`.",
    ),
    Entry(
        code="AF608",
        means="The parameters cell holds something other than `name: type = literal`.",
        example="`import os`",
        advice="Move it to a setup cell.",
    ),
    Entry(
        code="AF609",
        means="A parameter's default is not a literal that JSON can hold.",
        example="`limit = compute()`, `x = (1, 2)`",
        advice="Write the value.",
    ),
    Entry(
        code="AF610",
        means="A parameter's type is unknown, or its default does not fit it.",
        example="`n: int = ''`",
        advice="Make them agree.",
    ),
    Entry(
        code="AF611",
        means="More than one cell is tagged `parameters`.",
        example="two such cells",
        advice="Put them together.",
    ),
    Entry(
        code="AF612",
        means="A cell reads a name that no cell makes.",
        example="`x = totl`",
        advice="Correct it, or make it in a cell that ships.",
    ),
    Entry(
        code="AF613",
        means="A cell that ships reads what only a cell makes that does not ship.",
        example="a name of an untagged cell",
        advice="Tag that cell, or make the value in a node.",
    ),
    Entry(
        code="AF614",
        means="A name is made by several cells, and another one reads it.",
        example="`total = …` in two nodes",
        advice="Give each a name of its own.",
    ),
    Entry(
        code="AF615",
        means="A node uses a function, class or import of another node.",
        example="`f()`, defined in a node",
        advice="Move it to a cell tagged `setup`.",
    ),
    Entry(
        code="AF616",
        means="A node changes in place what another cell made. ⚠ where nobody else reads it",
        example="`rows.append(x)`",
        advice="Make a new value: `more = [*rows, x]`.",
    ),
    Entry(
        code="AF617",
        means="`import *`: which names it makes cannot be known.",
        example="`from math import *`",
        advice="Import the names that you use.",
    ),
    Entry(
        code="AF618",
        severity="warning",
        means="Names used through exec, eval, globals or locals are not seen.",
        example="`eval(text)`",
        advice="Write the names out.",
    ),
    Entry(
        code="AF619",
        means="A setup cell reads what a node makes.",
        example="a function in setup that uses `total`",
        advice="Pass the value to the function.",
    ),
    Entry(
        code="AF620",
        means="A name cannot be referred to in the document.",
        example="`größe`, `true`",
        advice="Use ASCII letters, digits and `_`.",
    ),
    Entry(
        code="AF621",
        means="A name that exists in notebooks only.",
        example="`display(x)`",
        advice="Use `print`, or look at it in a cell that does not ship.",
    ),
    Entry(
        code="AF622",
        means="A name is made on some paths only, and another cell makes it too.",
        example="`if debug: limit = 5`",
        advice="Give each a name of its own.",
    ),
    Entry(
        code="AF623",
        severity="warning",
        means="A cell that does not ship changes what a node reads.",
        example="`x = 2` between two nodes",
        advice="Move the change into a node.",
    ),
    Entry(
        code="AF624",
        means="The notebook has no node.",
        example="no cell with `%%node`",
        advice="Begin a cell with `%%node name`.",
    ),
    Entry(
        code="AF625",
        means="The notebook's `agentflow` metadata cannot be used.",
        example='`{"agentflow": {"nam": "x"}}`',
        advice="Correct the field.",
    ),
    Entry(
        code="AF626",
        means="A cell has more than one role.",
        example="tags `setup` and `parameters`",
        advice="Keep one.",
    ),
    Entry(
        code="AF627",
        means="The config of a node's cell cannot be told from its prompt.",
        example="YAML above a prompt, with a line of `---` before it and none after",
        advice="Close the YAML before the prompt with a line of `---`.",
    ),
    Entry(
        code="AF628",
        means="An agent cannot be written as a notebook.",
        example="`agentflow convert` of an agent of more than 5 MB",
        advice="Keep it as YAML.",
    ),
    Entry(
        code="AF629",
        severity="warning",
        means="When it ran, a node took a value from another cell than it will in the agent.",
        example="`x` made by a node, and set by another cell just before",
        advice="Run both nodes again, or use another name in the other cell.",
    ),
    Entry(
        code="AF630",
        severity="warning",
        means="When it ran, a cell changed in place what another made, and its text hides it.",
        example="`library.update(rows)`, seen by ipyflow",
        advice="Make a new value under a new name.",
    ),
    Entry(
        code="AF635",
        severity="error",
        means="A node passes on what no other node can be given; a warning where its type may be "
        "registered.",
        example="`f = open(path)`, `found = (n for n in rows)`, or `pair = (1, 2)` (warning)",
        advice="Do what the hint says, or [register the type](values.md#registered-types).",
    ),
    Entry(
        code="AF636",
        severity="warning",
        means="A line of a cell tagged `test` has no form as a test of the agent.",
        example="`assert total == sum(prices)`",
        advice="Compare what one node makes with a literal, or write the test as YAML.",
    ),
    Entry(
        code="AF637",
        severity="warning",
        means="A cell tagged `test` has the name of another test, which counts.",
        example="two such cells that begin with the same comment",
        advice="Begin the cell with another comment.",
    ),
)
