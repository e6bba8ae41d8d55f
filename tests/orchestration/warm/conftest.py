"""A warm parent at work on a project of its own, and runs that it is asked for."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext
from dagster._core.definitions.reconstruct import (
    ReconstructableRepository,
    initialize_repository_def_from_pointer,
)
from dagster._core.launcher.base import LaunchRunContext

from agentflow_dagster.operations.components import Component, warm_parent
from agentflow_dagster.operations.processes import Processes
from agentflow_dagster.operations.scaffold import scaffold
from agentflow_dagster.orchestration.instance import prepare_instance, write_instance
from agentflow_dagster.orchestration.run_config import run_config
from agentflow_dagster.orchestration.warm.asking import SOCKET_VARIABLE
from agentflow_dagster.orchestration.warm.under_way import NOTES_VARIABLE, notes_folder
from agentflow_dagster.stores import Stores, open_stores
from tests.conftest import new_database
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from dagster import DagsterRun

DEFINITIONS = """
import os, signal, time
from pathlib import Path
from dagster import Definitions, definitions, job, op
from agentflow_dagster.operations import Project, project_definitions
from resources import resources_for

@op
def say():
    print("printed by hand")
    Path(os.environ["DAGSTER_HOME"], "said").write_text("first")

@op
def stay():
    while True:
        try:
            time.sleep(0.05)
        except BaseException:
            pass

@job
def by_hand():
    say()

@job
def stubborn():
    stay()

@definitions
def defs():
    project = Project.find(Path(__file__).parent)
    made = project_definitions(resources_for(project.environment), project=project)
    return Definitions.merge(made, Definitions(jobs=[by_hand, stubborn]))
"""
AGENT = """\
apiVersion: agentflow.io/v1
kind: Agent
metadata: {{name: {name}}}
spec:
  inputs: {{type: object, properties: {{who: {{type: string, default: you}}}}}}
  nodes:
    {node}
"""
SAYS = (
    'say: {{kind: transform.format, with: {{template: "{word} {{{{ w }}}}",'
    ' values: {{w: "{{{{input.who}}}}"}}}}}}'
)
ENDLESS = 'stay: {kind: code.python, with: {code: "import time\\nwhile True: time.sleep(0.1)"}}'
_WHOLE = cast("DefinitionsLoadContext", None)


@contextmanager
def imported_for_now() -> Generator[None]:
    """What is imported inside is the project's, and nobody else's in this process."""
    before = dict(sys.modules)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as when Dagster imports it
        yield
    for name in sys.modules.keys() - before.keys():
        if name.partition(".")[0] in {"definitions", "resources"}:
            del sys.modules[name]


@dataclass(frozen=True)
class Site:
    """The project, and the warm parent that runs for it."""

    root: Path
    socket: Path
    instance: DagsterInstance
    stores: Stores
    processes: Processes

    def write(self, name: str, node: str) -> None:
        """An agent of one node."""
        file = self.root / "notebooks" / f"{name}.agent.yaml"
        file.write_text(AGENT.format(name=name, node=node))

    def create(
        self,
        job: str,
        *,
        select: Iterable[AssetKey] | None = None,
        config: dict[str, Any] | None = None,
        **input_: str,
    ) -> DagsterRun:
        """Creates a run as the webserver does on a code server that has just been reloaded."""
        repository = ReconstructableRepository.for_file(
            str(self.root / "definitions.py"), "defs", str(self.root)
        )
        with DefinitionsLoadContext.scoped(_WHOLE), imported_for_now():
            made = initialize_repository_def_from_pointer(repository.pointer)
        definition = made.get_job(job)
        if config is None and job.endswith("_job"):
            config = run_config(job.removesuffix("_job"), dict(input_))
        return self.instance.create_run_for_job(
            definition,
            run_config=config or {},
            asset_selection=frozenset(select) if select else None,
            tags=dict(definition.run_tags),
            repository_load_data=made.repository_load_data,
            job_code_origin=repository.get_reconstructable_job(job).get_python_origin(),
        )

    def launch(self, run: DagsterRun) -> str:
        context = LaunchRunContext(run, workspace=None)
        self.instance.run_launcher.launch_run(context)
        return run.run_id

    def run(self, run_id: str) -> DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def status(self, run_id: str) -> str:
        return self.run(run_id).status.value

    def notes(self) -> set[str]:
        """The runs that the warm parent sees to."""
        folder = notes_folder()
        assert folder is not None
        return {note.name for note in folder.iterdir()}

    def ended(self, run_id: str) -> str:
        """How a run ended, once it has."""
        ends = {"SUCCESS", "FAILURE", "CANCELED"}
        wait_until(lambda: self.status(run_id) in ends, seconds=60)
        return self.status(run_id)

    def pid(self, run_id: str) -> int:
        """The run's process, once it is at a step."""

        def at_a_step() -> bool:
            return bool(self.instance.all_logs(run_id, of_type=DagsterEventType.STEP_START))

        wait_until(at_a_step, seconds=60)
        (told, *_) = self.instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT)
        event: Any = told.dagster_event
        return int(event.engine_event_data.metadata["pid"].value)

    def told(self, run_id: str) -> str:
        """Every message of a run's events."""
        return "\n".join(entry.message for entry in self.instance.all_logs(run_id))


@pytest.fixture(scope="module")
def site(
    postgres_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Site]:
    root = tmp_path_factory.mktemp("warm") / "project"
    scaffold(root)
    shutil.rmtree(root / "notebooks")
    (root / "notebooks").mkdir()
    (root / "definitions.py").write_text(DEFINITIONS)
    home = root / ".agentflow"
    for url in new_database(postgres_url, template=template_database):
        folder = write_instance(home, queued=False)
        # Not below pytest's folder: the name of a socket is short.
        scratch = Path(tempfile.mkdtemp(prefix="warm-"))
        own = {
            "AGENTFLOW_DATABASE_URL": url,
            "AGENTFLOW_HOME": str(home),
            "DAGSTER_HOME": str(folder),
            "OPENAI_API_KEY": "",
            SOCKET_VARIABLE: str(scratch / "warm"),
            NOTES_VARIABLE: str(scratch / "under-way"),
        }
        prepare_instance(folder, url)
        with (
            pytest.MonkeyPatch.context() as patch,
            Processes(home / "logs", {**os.environ, **own}, root) as processes,
            open_stores(url, home / "artifacts") as stores,
        ):
            for name, value in own.items():
                patch.setenv(name, value)
            made = warm_parent(scratch / "warm", later=())
            soon = Component(made.name, [*made.command, "--kill-after", "1"], made.environment)
            processes.start([soon])
            wait_until((scratch / "warm").exists)
            with DagsterInstance.from_config(str(folder)) as instance:
                yield Site(root, scratch / "warm", instance, stores, processes)
        shutil.rmtree(scratch)
