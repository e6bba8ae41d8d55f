"""Which agents a project has, and how its working files stand to what is live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentflow_dagster.operations.check import check_file
from agentflow_dagster.operations.pinning import without_digests
from agentflow_dagster.spec.canonical import content_hash
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from datetime import datetime

    from agentflow_dagster.operations.project import Project
    from agentflow_dagster.ports.stores import VersionStore
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.kind import Catalogue
    from agentflow_dagster.spec.partitions import Partitions
    from agentflow_dagster.spec.values import JsonObject

State = Literal["live", "changed since", "not deployed", "has errors"]


@dataclass(frozen=True, slots=True)
class ListedAgent:
    """One agent; `version` is 0 where it was never deployed, `file` None where no file has it."""

    name: str
    version: int
    deployed_at: datetime | None
    file: str | None
    state: State
    triggers: tuple[str, ...]

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints."""
        return {
            "name": self.name,
            "version": self.version or None,
            "deployed_at": self.deployed_at.isoformat() if self.deployed_at else None,
            "file": self.file,
            "state": self.state,
            "triggers": list(self.triggers),
        }


def list_agents(project: Project, versions: VersionStore, kinds: Catalogue) -> list[ListedAgent]:
    """Live agents and working files, by name."""
    found: dict[str, ListedAgent] = {}
    hashes: dict[str, set[str]] = {}
    for live in versions.live(project.environment):
        agent = parse_agent(live.version.document)
        hashes[live.version.agent] = {live.version.hash}
        if not isinstance(agent, tuple):
            # A file says tags where the version that was made of it says digests.
            hashes[live.version.agent].add(content_hash(without_digests(agent)))
        found[live.version.agent] = ListedAgent(
            live.version.agent,
            live.version.number,
            live.deployed_at,
            None,
            "live",
            () if isinstance(agent, tuple) else describe_triggers(agent),
        )
    for path in project.working_files():
        checked = check_file(path, kinds, file=project.relative(path))
        name = checked.agent.name if checked.agent else path.name.partition(".")[0]
        before = found.get(name)
        state: State = "has errors"
        if checked.plan is not None:
            state = "not deployed" if before is None else "live"
            if before is not None and checked.hash not in hashes[name]:
                state = "changed since"
        found[name] = ListedAgent(
            name,
            before.version if before else 0,
            before.deployed_at if before else None,
            checked.file,
            state,
            describe_triggers(checked.agent) if checked.agent else (),
        )
    return [found[name] for name in sorted(found)]


def describe_triggers(agent: Agent) -> tuple[str, ...]:
    """Each trigger in a few words."""
    told: list[str] = []
    for name, trigger in agent.spec.triggers.items():
        if trigger.webhook is not None:
            told.append(f"{trigger.webhook.method} /hooks{trigger.webhook.path}")
        elif trigger.schedule is not None:
            told.append(f"{trigger.schedule.cron} {trigger.schedule.timezone}")
        elif trigger.file is not None:
            told.append(f"file {trigger.file.path}")
        elif trigger.database is not None:
            told.append(f"database ({name}, every {trigger.database.every})")
        elif trigger.event is not None:
            told.append(f"event {trigger.event.source} ({name}, every {trigger.event.every})")
        else:
            told.append(f"manual ({name})")
    return tuple(told)


def describe_partitions(partitions: Partitions) -> str:
    """How an agent is cut, in a few words."""
    told: list[str] = []
    for name, one in partitions.dimensions.items():
        if one.time is not None:
            cut, time = one.time
            words = (
                f"{cut} from {time.start}{f' to {time.end}' if time.end else ''} {time.timezone}"
            )
        elif one.static is not None:
            words = f"{len(one.static)} keys"
        else:
            words = f"keys of {one.dynamic!r}"
        told.append(f"{name}: {words}" if name else words)
    return "; ".join(told)
