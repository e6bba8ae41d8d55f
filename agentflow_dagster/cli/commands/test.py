"""`agentflow test`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.operations.testing import Selected
    from agentflow_dagster.ports.document_tests import TestReport
    from agentflow_dagster.spec.values import JsonValue

_COLOURS = {"-": "red", "+": "green", "?": "bright_black"}


@click.command("test")
@click.argument("targets", nargs=-1, metavar="[FILE|FOLDER|NAME]...")
@click.option("--node", metavar="NODE", help="Only tests of this node alone.")
@click.option("--test", "test", metavar="TEST", help="Only the test of this name.")
@click.option("--json", "as_json", is_flag=True, help="Print {passed, tests: […]} on stdout.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML to this file.")
@click.option("-x", "--exitfirst", is_flag=True, help="Stop at the first test that fails.")
def command(
    *,
    targets: tuple[str, ...],
    node: str | None,
    test: str | None,
    as_json: bool,
    junit: Path | None,
    exitfirst: bool,
) -> int:
    """Run the tests that agents bring along, under `spec.tests`.

    Without a file or a name, those of the whole project. Nothing is deployed or recorded. Exit
    status: 0 all passed, 1 some failed or a file has errors, 2 used wrongly.

    \b
    Examples:
      agentflow test
      agentflow test support-triage --test a_bug_is_filed
      agentflow test notebooks/classifier.agent.yaml --junit reports/agents.xml
    """
    from agentflow_dagster.cli.context import current_project, known_kinds
    from agentflow_dagster.cli.output import print_json, progress
    from agentflow_dagster.operations.testing import (
        DocumentTests,
        project_plans,
        project_services,
        select_tests,
    )
    from agentflow_dagster.operations.testing.junit import write_junit
    from agentflow_dagster.operations.testing.telling import report_json

    project, kinds = current_project(), known_kinds()
    chosen = select_tests(project, kinds, targets, node=node, test=test)
    services, find = project_services(project, kinds), project_plans(project, kinds)
    runner = DocumentTests()
    reports: list[tuple[str, TestReport]] = []

    async def run_all() -> None:
        with progress() as tell:
            for selected, name in _each(chosen):
                of = f"{selected.plan.agent.name} · {name}"
                tell(of)

                def after_case(done: int, total: int, of: str = of) -> None:
                    if total > 1 and (done == total or done % 10 == 0):
                        tell(f"{of}: {done} of {total} cases")

                report = await runner.run(
                    selected.plan, name, services, find, after_case=after_case
                )
                reports.append((selected.file.file, report))
                if exitfirst and not report.passed:
                    return

    asyncio.run(run_all())
    if junit is not None:
        write_junit(reports, junit)
    passed = all(report.passed for _, report in reports)
    if as_json:
        tests: list[JsonValue] = [{"file": file, **report_json(report)} for file, report in reports]
        print_json({"passed": passed, "tests": tests})
    else:
        _show(reports)
    return 0 if passed else 1


def _each(chosen: Sequence[Selected]) -> list[tuple[Selected, str]]:
    return [(selected, name) for selected in chosen for name in selected.tests]


def _show(reports: Sequence[tuple[str, TestReport]]) -> None:
    from agentflow_dagster.cli.output import print_table, shown
    from agentflow_dagster.operations.testing.telling import told_lines

    print_table(
        "Tests",
        ["agent", "test", "result", ">cases", ">time", ">cost"],
        [_row(report) for _, report in reports],
    )
    failed = [(file, report) for file, report in reports if not report.passed]
    for file, report in failed:
        click.secho(shown(f"{file} · {report.test}"), bold=True)
        for line in told_lines(report):
            sign = line.strip()[:2].rstrip() if line.startswith("  ") else ""
            click.secho(shown(f"  {line}"), fg=_COLOURS.get(sign))
        click.echo()
    colour = "red" if failed else "green"
    click.secho(f"{len(reports) - len(failed)} passed, {len(failed)} failed", fg=colour)


def _row(report: TestReport) -> list[str]:
    from agentflow_dagster.cli.output import cost_text

    known = [case.cost_usd for case in report.cases if case.cost_usd is not None]
    cost = sum(known) if len(known) == len(report.cases) else None
    passed = sum(case.passed for case in report.cases)
    return [
        report.agent,
        report.test,
        "PASSED" if report.passed else "FAILED",
        f"{passed}/{len(report.cases)}",
        f"{report.seconds:.2f} s",
        cost_text(cost),
    ]
