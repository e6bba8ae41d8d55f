"""Triggers."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
    Entry(
        code="AF401",
        means="Not a cron line, or a time that never comes.",
        example="`0 99 * * *`, `0 0 31 2 *`",
        advice="Five fields: minute hour day month weekday.",
    ),
    Entry(
        code="AF402",
        means="There is no such time zone.",
        example="`Europe/Berln`",
        advice="Correct it: names as in `Europe/Berlin`.",
    ),
    Entry(
        code="AF403",
        means="Two triggers have one path and method.",
        example="two webhooks `/tickets`",
        advice="Give one another path.",
    ),
    Entry(
        code="AF404",
        means="A required input is not given.",
        example="a schedule without `input`",
        advice="Add it to the trigger's `input`, or give it a default.",
    ),
    Entry(
        code="AF405",
        means="The agent has no such input.",
        example="`input: {bdy: x}`",
        advice="Correct the name.",
    ),
    Entry(
        code="AF406",
        means="A constant does not meet the input's schema.",
        example="`input: {body: 5}` for a string",
        advice="Change the value, or the schema.",
    ),
    Entry(
        code="AF410",
        means="A file trigger's path leads out of the project's data folder.",
        example="`path: ../x/*.csv`, `path: /etc/*`",
        advice="Write it from that folder, with `/`: `inbox/*.csv`.",
    ),
    Entry(
        code="AF411",
        means="A file trigger's path is not a glob.",
        example="`inbox/**`, `in//x.csv`, `in/[ab`",
        advice="`*` and `?` stand within a name, `**` for any folders: `inbox/**/*.csv`.",
    ),
    Entry(
        code="AF412",
        means="A database trigger's query is not one SELECT.",
        example="`DELETE FROM t`, two statements",
        advice="Begin with SELECT, or with WITH.",
    ),
    Entry(
        code="AF413",
        means="A database trigger's query does not say `:since`.",
        example="`SELECT * FROM orders`",
        advice="Add `WHERE updated_at >= :since`.",
    ),
    Entry(
        code="AF414",
        means=(
            "A database trigger's query would lose rows: those with a mark that was read "
            "already, or those past a limit."
        ),
        example="`updated_at > :since`, `LIMIT 10`",
        advice="Write `>= :since`, and no LIMIT.",
    ),
    Entry(
        code="AF415",
        means="A database trigger's URL is not one expression.",
        example="`url: postgresql://me:pw@host/db`",
        advice='Keep it out of the document: `url: "{{secret.WAREHOUSE_URL}}"`.',
    ),
    Entry(
        code="AF416",
        means="There is no such event source.",
        example="`event: {source: http.jsn}`",
        advice="Correct it, or install the plugin that has it.",
    ),
    Entry(
        code="AF417",
        means="An event source's config is not what it takes.",
        example="`http.json` without `url`",
        advice="Do what the message says.",
    ),
    Entry(
        code="AF420",
        means="A date of partitions that there is not, no midnight, or an end before the start.",
        example="`start: 2026-02-30`, `daily: {start: 2026-01-01T06:00}`",
        advice="Name a day that there is; hours only where the partitions are hours.",
    ),
    Entry(
        code="AF421",
        means="A key of partitions stands twice, or holds `...`.",
        example="`static: [east, west, east]`",
        advice="Keep one; write it otherwise.",
    ),
    Entry(
        code="AF422",
        means="`multi` has other than two dimensions, or more than one of time.",
        example="`multi: {shop: …, day: …, month: …}`",
        advice="Use two, one of them time at most.",
    ),
    Entry(
        code="AF423",
        means="More partitions than Dagster is made for: 100,000.",
        example="`hourly` over twenty years",
        advice="Begin later, end earlier, or cut coarser.",
    ),
    Entry(
        code="AF424",
        means="Partitions without an end that are more than 100,000 by now.",
        example="`hourly: {start: 2000-01-01}`",
        advice="Begin later, or cut coarser: Dagster's pages become slow.",
        severity="warning",
    ),
    Entry(
        code="AF425",
        means="A partitioned agent requires an input that has no default: a backfill gives none.",
        example="`partitions: …` and `required: [body]`",
        advice="Give it a default, or read `run.partition` in its place.",
    ),
    Entry(
        code="AF426",
        means="A partitioned agent's trigger says no partition, or not one as the agent is cut.",
        example="a webhook without `partition`",
        advice='Add `partition: "{{event.body.day}}"`; with two dimensions a key of each.',
    ),
    Entry(
        code="AF427",
        means="A trigger says a partition, and the agent has none.",
        example="`partition: x` without `spec.partitions`",
        advice="Take it out, or add `spec.partitions`.",
    ),
)
