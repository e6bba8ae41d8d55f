"""Secrets and environment."""

from __future__ import annotations

from agentflow_dagster.spec.catalogue.entry import Entry

ENTRIES = (
    Entry(
        code="AF501",
        means="A secret that is not declared.",
        example="`{{secret.TOKEN}}`",
        advice="Add TOKEN to `spec.secrets`.",
    ),
    Entry(
        code="AF502",
        means="An environment variable that is not declared.",
        example="`{{env.HOST}}`",
        advice="Add HOST to `spec.env`.",
    ),
    Entry(
        code="AF503",
        means="A secret stands in the document in clear: a text that a provider's keys look like.",
        example="`authorization: Bearer sk-…`",
        advice=(
            "Revoke it, since it was written down. Put the new one into the environment or `.env`, "
            "name it in `spec.secrets`, and write `{{secret.NAME}}`."
        ),
    ),
    Entry(
        code="AF504",
        severity="warning",
        means="A text that may be a secret: its characters look random.",
        example="`x-api-key: 9fKq…`, forty characters like it",
        advice="Where it is one, name it in `spec.secrets` and write `{{secret.NAME}}`.",
    ),
)
