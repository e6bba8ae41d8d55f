"""The dead-letter queue of a project: runs that failed for good, events that never became one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentflow_dagster.errors import UsageError
from agentflow_dagster.operations.stores import project_stores
from agentflow_dagster.stores import database_url

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.failures import DeadLetter, Failures

_MOST = 10_000


@contextmanager
def project_failures(project: Project) -> Generator[Failures]:
    """What is owed in a project, for as long as the block lasts."""
    with (
        database_url(project.make_home(), project.variables) as url,
        project_stores(project) as stores,
    ):
        if stores.failures.unjudged(limit=1):
            from agentflow_dagster.orchestration.instance import opened_instance, write_instance
            from agentflow_dagster.orchestration.run_verdicts import Judge

            folder = write_instance(project.make_home(), queued=True)
            with opened_instance(folder, url) as instance:
                Judge(instance, stores.versions, stores.failures).judge_all()
        yield stores.failures


def dead_letters(project: Project, agent: str | None, *, limit: int) -> Sequence[DeadLetter]:
    """What only a person can take on, the newest first."""
    with project_failures(project) as failures:
        return failures.dead(agent, limit=limit)


def send_again(
    project: Project, letter: str | None, *, agent: str | None = None, everything: bool = False
) -> list[str]:
    """Asks for the runs of dead letters again; the ids of those that were not asked for before.

    They begin while the project is up, or when it next is.

    Args:
        project: Whose.
        letter: Which; None where an agent's are meant, or all.
        agent: All of this agent.
        everything: All there are.

    Raises:
        UsageError: there is no such dead letter, or none or several of the three were said.
    """
    if sum([letter is not None, agent is not None, everything]) != 1:
        raise UsageError("Say one of ID, --agent NAME and --all.")
    with project_failures(project) as failures:
        if letter is not None:
            sent = failures.send(letter)
            if sent == "not there":
                raise UsageError(f"There is no dead letter {letter!r}.", hint=_LIST)
            return [letter] if sent == "asked" else []
        letters = failures.dead(agent, limit=_MOST)
        return [one.id for one in letters if failures.send(one.id) == "asked"]


def drop(project: Project, letter: str) -> None:
    """Owes nothing for a dead letter any more.

    Raises:
        UsageError: there is no such dead letter.
    """
    with project_failures(project) as failures:
        if not failures.drop(letter):
            raise UsageError(f"There is no dead letter {letter!r}.", hint=_LIST)


_LIST = "`agentflow dlq list` shows what there is."
