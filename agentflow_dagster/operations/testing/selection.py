"""Which tests there are to run, and what a project's tests are run with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow_dagster.engine.step import Services
from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph.agent_references import parse_reference
from agentflow_dagster.notebook import PapermillNotebooks
from agentflow_dagster.operations.agents import known_agents, named_files
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.operations.diff import is_file_name
from agentflow_dagster.operations.models import project_models, project_rules
from agentflow_dagster.operations.own_resources import own_secrets
from agentflow_dagster.sandbox import ChildProcess
from agentflow_dagster.spec.diagnostics import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.operations.check import CheckedFile
    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.operations.testing.agents import FindPlan
    from agentflow_dagster.ports.kind import Kind
    from agentflow_dagster.ports.ledger import Ledger
    from agentflow_dagster.ports.memo import Memo
    from agentflow_dagster.spec.kind import Catalogue, KindConfig


@dataclass(frozen=True, slots=True)
class Selected:
    """Some tests of one file."""

    file: CheckedFile
    plan: Plan
    tests: tuple[str, ...]


def select_tests(
    project: Project,
    kinds: Catalogue,
    targets: Sequence[str],
    *,
    node: str | None = None,
    test: str | None = None,
) -> list[Selected]:
    """The tests of files, in the order of the documents.

    Args:
        project: Where the files are.
        kinds: Every node kind known here.
        targets: Files, folders of the project, or names of its agents; none means all it has.
        node: Only tests of this node alone.
        test: Only the test of this name.

    Raises:
        UsageError: there is no such file, agent, node or test, or none that fits.
        DocumentError: a file has errors.
    """
    known = known_agents(project)
    paths = _paths(project, targets)
    found: list[Selected] = []
    nodes: set[str] = set()
    names: set[str] = set()
    for path, named in paths:
        checked = check_file(path, kinds, file=project.relative(path), agents=known)
        if not named and checked.agent is not None and not checked.agent.spec.tests:
            continue  # Its errors are not what was asked for.
        plan = checked.require()
        tests = plan.agent.spec.tests
        nodes |= {one.node for one in tests.values() if one.node}
        names |= tests.keys()
        fitting = tuple(
            name
            for name, one in tests.items()
            if (node is None or one.node == node) and (test is None or name == test)
        )
        if fitting:
            found.append(Selected(checked, plan, fitting))
    if test is not None and test not in names:
        raise UsageError(f"There is no test {test!r}.", hint=nearest(test, names))
    if node is not None and node not in nodes:
        hint = nearest(node, nodes) or "Write a test with `node:`."
        raise UsageError(f"No test is of the node {node!r} alone.", hint=hint)
    if not found:
        raise UsageError("There are no tests here.", hint="Write some under `spec.tests`.")
    return found


def project_services(
    project: Project,
    kinds: Mapping[str, Kind[KindConfig]],
    *,
    ledger: Ledger | None = None,
    memo: Memo | None = None,
) -> Services:
    """What the nodes of a project's agents work with, outside of Dagster: models as the project
    configures them, code in child processes, secrets of its own resource.

    Args:
        project: Whose.
        kinds: Every node kind known here.
        ledger: Where calls of models are charged; None charges nobody.
        memo: Where their replies are kept; None keeps none.

    Raises:
        UsageError: that resource, or `models.yaml`, cannot be read.
    """
    code = ChildProcess()
    secrets, environment = own_secrets(project)
    return Services(
        kinds=kinds,
        model=project_models(project, secrets=secrets, ledger=ledger, memo=memo),
        code=code,
        notebooks=PapermillNotebooks(project.root / "notebooks"),
        secrets=secrets,
        environment=environment,
        data=project.data,
        rules=project_rules(project),
    )


def project_plans(project: Project, kinds: Catalogue) -> FindPlan:
    """Finds the agents that tests run: those of the project's files."""
    plans: dict[Path, Plan] = {}
    files = named_files(list(project.working_files()))

    def find(reference: str) -> Plan:
        parsed = parse_reference(reference)
        for file in files:
            if parsed is None or file.name != parsed.name:
                continue
            if parsed.tag is not None and parsed.digest is None and parsed.tag != file.tag:
                continue
            if file.path not in plans:
                checked = check_file(file.path, kinds, file=project.relative(file.path))
                if checked.plan is None:
                    raise RunError(f"{checked.file} has errors.", retryable=False)
                plans[file.path] = checked.plan
            return plans[file.path]
        known = nearest(reference, [file.name for file in files])
        told = f"No file of the project holds an agent {reference!r}."
        raise RunError(told, hint=known, retryable=False)

    return find


def _paths(project: Project, targets: Sequence[str]) -> list[tuple[Path, bool]]:
    """The files, each with whether it was named itself."""
    working = list(project.working_files())
    if not targets:
        return [(path, False) for path in working]
    agents = {file.name: file.path for file in named_files(working)}
    found: dict[Path, bool] = {}
    for target in targets:
        path = Path(target)
        if target in agents:
            found[agents[target]] = True
        elif path.is_dir():
            inside = [file for file in working if file.is_relative_to(path.resolve())]
            found = {**dict.fromkeys(inside, False), **found}
        elif is_file_name(target) or path.is_file():
            found[path.resolve()] = True
        else:
            raise UsageError(f"There is no agent {target!r} here.", hint=nearest(target, agents))
    return list(found.items())
