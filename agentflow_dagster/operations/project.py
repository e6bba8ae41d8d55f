"""A project on disk: where its files are, what its home holds, which files are agents."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MARKER = "definitions.py"
HOME_VARIABLE = "AGENTFLOW_HOME"
DATA_VARIABLE = "AGENTFLOW_DATA"
ENVIRONMENT_VARIABLE = "AGENTFLOW_ENVIRONMENT"
VARIABLES_FILE = ".env"
SERVE_VARIABLE = "AGENTFLOW_SERVE"
"""A version hash: the code location then serves this version alone (`agentflow run FILE`)."""

_FORMS = ("yaml", "yml", "json", "py")
_AGENT_FILES = tuple(f".{kind}.{form}" for kind in ("agent", "workflow") for form in _FORMS)
_CLOSED = ("artifacts", "dagster", "dagster-artifacts", "dagster-direct", "logs")


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a `definitions.py`, and its home.

    Args:
        root: The folder.
        home: Where database, artifacts and logs are kept; `.agentflow` in the root unless
            `AGENTFLOW_HOME` says otherwise.
        environment: The environment that deployments go to.
        variables: The process's environment variables, over those of the root's `.env`. Never
            shown: secrets are among them.
    """

    root: Path
    home: Path
    environment: str = "local"
    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    @classmethod
    def find(cls, start: Path | None = None, variables: Mapping[str, str] | None = None) -> Project:
        """The project that holds a folder (by default the current one).

        Raises:
            UsageError: no folder above has a `definitions.py`, or its `.env` is not UTF-8.
        """
        process = os.environ if variables is None else variables
        folder = (start or Path.cwd()).resolve()
        for root in (folder, *folder.parents):
            if (root / MARKER).is_file():
                told = {**_from_file(root / VARIABLES_FILE), **process}
                home = Path(told.get(HOME_VARIABLE) or root / ".agentflow").expanduser().resolve()
                return cls(root, home, told.get(ENVIRONMENT_VARIABLE) or "local", told)
        raise UsageError(
            f"{folder} is not inside an AgentFlow project: no {MARKER} here or above.",
            hint="Make one with `agentflow init DIR`.",
        )

    @property
    def artifacts(self) -> Path:
        """Where large outputs are kept."""
        return self.home / "artifacts"

    @property
    def run_files(self) -> Path:
        """What runs leave as files, a folder for each: what they print, and executed notebooks."""
        return self.home / "logs" / "compute"

    @property
    def data(self) -> Path:
        """The data that agents may look at by path: `notebooks/data`, unless `AGENTFLOW_DATA` names
        another folder."""
        named = self.variables.get(DATA_VARIABLE)
        return Path(named).expanduser().resolve() if named else self.root / "notebooks" / "data"

    def make_home(self) -> Path:
        """Makes the home where it is missing, closed to other users: its logs and artifacts hold
        what agents saw and said.

        As root the home itself may be passed through, for PostgreSQL then runs as another user.
        """
        self.home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        for name in _CLOSED:
            (self.home / name).mkdir(mode=0o700, exist_ok=True)
        return self.home

    def working_files(self) -> Iterator[Path]:
        """The agent files under `notebooks/`, sorted: `*.agent.yaml` and `*.workflow.yaml`
        (or `.json`, or `.py` of the builder), and notebooks with nodes."""
        folder = self.root / "notebooks"
        for path in sorted(folder.rglob("*")):
            if ".ipynb_checkpoints" in path.parts or not path.is_file():
                continue
            if is_agent_file(path):
                yield path

    def relative(self, path: Path) -> str:
        """A path as diagnostics and sources tell it: from the root where it lies inside."""
        full = path.resolve()
        return str(full.relative_to(self.root) if full.is_relative_to(self.root) else full)


def is_agent_file(path: Path) -> bool:
    """Whether a file's name, or of a notebook a cell of it, says that it holds an agent."""
    if path.name.endswith(_AGENT_FILES):
        return True
    return path.suffix == ".ipynb" and b"%%node" in path.read_bytes()


def _from_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        found = dotenv_values(path, encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8.") from None
    return {name: value for name, value in found.items() if value is not None}
