"""The project's own `resources` package: what its steps work with."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from warnings import catch_warnings, simplefilter

from agentflow_dagster.engine.secrets import EnvironmentSecrets
from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.scaffold import template_root

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path
    from types import ModuleType

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.secrets import Secrets

_PACKAGE = "resources"
_SAYS_SECRETS = ("__init__.py", "secrets.py")


def own_resources(root: Path, environment: str) -> Mapping[str, object]:
    """What the package of a project has for an environment. Runs the project's code."""
    if sys.path[0] != str(root):  # Another project's may stand before it.
        sys.path[:] = [str(root), *(place for place in sys.path if place != str(root))]
    with _no_other(root / _PACKAGE):
        return cast("Any", import_module(_PACKAGE)).resources_for(environment)


def own_secrets(project: Project) -> tuple[Secrets, Mapping[str, str]]:
    """Where secrets are, and what `{{env.NAME}}` reads, outside of Dagster: as the project's
    `secrets` resource says, then its environment. As it was scaffolded that resource is the
    environment, and is not loaded: Dagster would be, too.

    Raises:
        UsageError: the resource cannot be opened.
    """
    variables = EnvironmentSecrets(project.variables)
    if _as_scaffolded(project.root):
        return variables, project.variables
    with _variables(project.variables):
        secrets, environment = _opened(project.root, project.environment)
    return _Either(secrets, variables), {**project.variables, **environment}


@dataclass(frozen=True, slots=True)
class _Either:
    first: Secrets
    then: Secrets

    def lookup(self, name: str) -> str | None:
        return self.first.lookup(name) or self.then.lookup(name)


@lru_cache(maxsize=8)
def _opened(root: Path, environment: str) -> tuple[Secrets, Mapping[str, str]]:
    from agentflow_dagster.orchestration.own_resources import opened_secrets

    try:
        with catch_warnings():
            simplefilter("ignore")  # Dagster reads attributes that pydantic calls deprecated.
            return opened_secrets(own_resources(root, environment)["secrets"])
    except Exception as problem:  # noqa: BLE001 - the project's code may raise anything
        kind = type(problem).__name__
    # Out here, and without its words: they may hold what it was to be opened with.
    raise UsageError(
        f"The project's secrets resource could not be opened ({kind}).",
        hint="See resources/__init__.py and resources/secrets.py.",
    )


def _as_scaffolded(root: Path) -> bool:
    """Whether a project says nothing of its own of where secrets are."""
    own, template = root / _PACKAGE, template_root() / _PACKAGE
    if not (own / "__init__.py").is_file():
        return True
    return own != template and all(_same(own / name, template / name) for name in _SAYS_SECRETS)


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


@contextmanager
def _variables(told: Mapping[str, str]) -> Generator[None]:
    """The project's `.env` among this process's variables, as it is in those of a platform."""
    more = {name: value for name, value in told.items() if name not in os.environ}
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            os.environ.pop(name, None)


@contextmanager
def _no_other(package: Path) -> Generator[None]:
    """Has another project's package of the same name out of the way, if this process has one."""
    known = getattr(sys.modules.get(_PACKAGE), "__file__", None)
    others = {} if known == str(package / "__init__.py") else _taken_out()
    try:
        yield
    finally:
        if others:
            _taken_out()
            sys.modules.update(others)


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]
    return {name: sys.modules.pop(name) for name in names}
