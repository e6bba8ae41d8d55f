"""`agentflow schema`."""

from __future__ import annotations

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of agents and workflows, for editors and checks.

    \b
    Example:
      agentflow schema > docs/schema/agentflow-v1.json
    """
    from agentflow_dagster.cli.context import known_kinds
    from agentflow_dagster.cli.output import print_json
    from agentflow_dagster.operations.schema import document_schema

    print_json(document_schema(known_kinds()))
