"""`agentflow describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agentflow_dagster.graph.topology import Edge
    from agentflow_dagster.spec.values import JsonObject, JsonSchema


@click.command("describe")
@click.argument("words", metavar="[workflow] NAME|FILE", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the document and its plan as JSON.")
def command(words: tuple[str, ...], as_json: bool) -> None:
    """Show one agent: its version, input, triggers and nodes.

    \b
    Examples:
      agentflow describe support-triage
      agentflow describe workflow customer-support-pipeline
    """
    from agentflow_dagster.cli.context import after_noun, current_project, known_kinds
    from agentflow_dagster.cli.output import print_json, print_table, shown
    from agentflow_dagster.operations.listing import describe_partitions, describe_triggers
    from agentflow_dagster.operations.run import find_runnable
    from agentflow_dagster.operations.stores import project_stores

    target = after_noun(words, required=True)
    project = current_project()
    kinds = known_kinds()
    with project_stores(project) as stores:
        chosen = find_runnable(project, stores.versions, kinds, target)
    plan, version = chosen.plan, chosen.version
    nodes: list[JsonObject] = [
        {
            "name": step.name,
            "kind": step.node.kind,
            "after": [f"{e.source}.{e.port}" for e in step.edges],
            "asset": step.asset,
            "code_version": step.code_version,
            "description": step.node.description,
        }
        for step in plan.steps
    ]
    if as_json:
        print_json(
            {
                "agent": plan.agent.name,
                "version": version.number or None,
                "hash": version.hash,
                "deployed": not chosen.alone,
                "document": version.document,
                "nodes": [*nodes],
            }
        )
        return
    label = "working file" if chosen.alone else f"v{version.number}"
    name = shown(f"{plan.agent.metadata.icon} {plan.agent.name}".strip())
    click.secho(name, bold=True, nl=False)
    click.echo(f"  {label}, {version.hash[:12]}")
    click.echo(shown(plan.agent.metadata.description))
    if plan.agent.spec.partitions is not None:
        click.echo(f"  partitioned: {describe_partitions(plan.agent.spec.partitions)}")
    for trigger in describe_triggers(plan.agent):
        click.echo(f"  starts on {trigger}")
    needs = [*plan.agent.spec.env, *plan.agent.spec.secrets]
    if needs:
        told = (f"{n}{'' if project.variables.get(n) else ' (not set)'}" for n in needs)
        click.echo(f"  needs {', '.join(told)}")
    _print_inputs(dict(plan.agent.spec.inputs))
    about = {s.name: kinds[s.node.kind].describe(s.node.with_) for s in plan.steps}
    print_table(
        "",
        ["node", "kind", "after", "description"],
        [
            [s.name, s.node.kind, _after(s.edges), s.node.description or about[s.name]]
            for s in plan.steps
        ],
    )


def _print_inputs(schema: JsonSchema) -> None:
    properties: dict[str, JsonSchema] = schema.get("properties") or {}
    required: list[str] = schema.get("required") or []
    if properties:
        click.echo("  input:")
    for name, inner in properties.items():
        must = ", required" if name in required else ""
        click.echo(f"    {name}: {inner.get('type', 'any')}{must}")


def _after(edges: tuple[Edge, ...]) -> str:
    return ", ".join(f"{e.source}.{e.port}".removesuffix(".result") for e in edges) or "-"
