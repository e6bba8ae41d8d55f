"""Versions, deployments and generations in PostgreSQL."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from agentflow_dagster.errors import StoreError
from agentflow_dagster.ports.stores import (
    AGENTS_PER_LOCATION,
    Deployment,
    GenerationId,
    Version,
    VersionHash,
)
from agentflow_dagster.stores.engine import transaction
from agentflow_dagster.stores.tables import deployments, generations, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from agentflow_dagster.spec.values import JsonObject


def generation_id(members: Mapping[str, VersionHash]) -> GenerationId:
    """The id of a set `{agent: version hash}`: sha256 of its sorted pairs as compact JSON."""
    pairs = json.dumps(sorted(members.items()), separators=(",", ":"))
    return GenerationId(hashlib.sha256(pairs.encode()).hexdigest())


class PostgresVersionStore:
    """Keeps versions, what is deployed, and the sets that runs are pinned to."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put(
        self, agent: str, hash_: VersionHash, document: JsonObject, source: JsonObject
    ) -> Version:
        """Stores a version without deploying it; the same hash again returns the stored one."""
        row = {"hash": hash_, "agent": agent, "document": document, "source": source}
        with transaction(self._engine) as connection:
            connection.execute(insert(versions).values(row).on_conflict_do_nothing())
            return _stored(connection, hash_)

    def get(self, hash_: VersionHash) -> Version | None:
        """The version of that hash."""
        with transaction(self._engine) as connection:
            return _find(connection, hash_)

    def deploy(
        self, environment: str, hash_: VersionHash, *, room: int = AGENTS_PER_LOCATION
    ) -> tuple[Deployment, bool]:
        """Makes a stored version live; the flag says whether anything changed.

        Raises:
            StoreError: no such version is stored.
        """
        with transaction(self._engine) as connection:
            agent = _stored(connection, hash_).agent
            # One deploy of an agent at a time: numbers have no gaps, the newest row is the newest.
            _one_at_a_time(connection, f"agentflow deploy {agent}")
            live = _live(connection, environment, agent)
            if live and live.version.hash == hash_:
                return live, False
            numbers = sa.select(sa.func.coalesce(sa.func.max(versions.c.number), 0) + 1)
            next_number = numbers.where(versions.c.agent == agent).scalar_subquery()
            unnumbered = (versions.c.hash == hash_) & versions.c.number.is_(None)
            connection.execute(sa.update(versions).where(unnumbered).values(number=next_number))
            location = live.location if live else _first_with_room(connection, environment, room)
            row = {"environment": environment, "agent": agent, "version_hash": hash_}
            connection.execute(sa.insert(deployments).values(row | {"location": location}))
            return _deployed(connection, environment, agent, limit=1)[0], True

    def undeploy(self, environment: str, agent: str) -> bool:
        """Takes an agent out of an environment; False where it was not there."""
        with transaction(self._engine) as connection:
            _one_at_a_time(connection, f"agentflow deploy {agent}")
            live = _live(connection, environment, agent)
            if live is None:
                return False
            # The row names what was live, and that it ended.
            row = {"environment": environment, "agent": agent, "version_hash": live.version.hash}
            ended = {"ended": True, "location": live.location}
            connection.execute(sa.insert(deployments).values(row | ended))
            return True

    def live(self, environment: str) -> Sequence[Deployment]:
        """What is live, ordered by agent name."""
        with transaction(self._engine) as connection:
            rows = connection.execute(_DEPLOYMENTS.where(_lasting(environment)))
            return sorted(map(_deployment, rows), key=lambda each: each.version.agent)

    def revision(self, environment: str) -> int:
        """How often what is live there has changed."""
        # Not the newest id: another that is lower may be committed after it.
        changes = sa.select(sa.func.count()).where(deployments.c.environment == environment)
        with transaction(self._engine) as connection:
            return connection.scalar(changes) or 0

    def locations(self, environment: str) -> Mapping[int, int]:
        """How many agents are live in each code location that ever had one."""
        with transaction(self._engine) as connection:
            return _agents_by_location(connection, environment)

    def location_of(self, environment: str, agent: str) -> int | None:
        """The code location of an agent; None where it is not live."""
        with transaction(self._engine) as connection:
            live = _live(connection, environment, agent)
        return live.location if live else None

    def history(self, environment: str, agent: str) -> Sequence[Deployment]:
        """Every deployment of one agent, newest first."""
        with transaction(self._engine) as connection:
            return _deployed(connection, environment, agent)

    def pin(self, members: Mapping[str, VersionHash]) -> GenerationId:
        """Stores a set under its id; the same set again is the same id.

        Raises:
            StoreError: a version of the set is not stored, or is another agent's.
        """
        id_ = generation_id(members)
        with transaction(self._engine) as connection:
            named = sa.select(versions.c.hash, versions.c.agent)
            wanted = named.where(versions.c.hash.in_(list(members.values())))
            stored = {row.hash: row.agent for row in connection.execute(wanted)}
            for agent, hash_ in members.items():
                if stored.get(hash_) != agent:
                    raise StoreError(f"Agent {agent!r} has no stored version {hash_!r}.")
            row = {"id": id_, "members": dict(sorted(members.items()))}
            connection.execute(insert(generations).values(row).on_conflict_do_nothing())
        return id_

    def members(self, generation: GenerationId) -> Mapping[str, VersionHash]:
        """A set as it was pinned, ordered by agent name.

        Raises:
            StoreError: no such set.
        """
        with transaction(self._engine) as connection:
            return _members(connection, generation)

    def pinned(self, generation: GenerationId) -> Sequence[Version]:
        """The versions of a set, ordered by agent name.

        Raises:
            StoreError: no such set.
        """
        with transaction(self._engine) as connection:
            members = _members(connection, generation)
            return sorted(_all_of(connection, members.values()), key=lambda each: each.agent)


_DEPLOYMENTS = sa.select(
    deployments.c.environment, deployments.c.deployed_at, deployments.c.location, versions
).join_from(deployments, versions)


def _members(connection: sa.Connection, generation: GenerationId) -> dict[str, VersionHash]:
    statement = sa.select(generations.c.members).where(generations.c.id == generation)
    members = cast("dict[str, VersionHash] | None", connection.scalar(statement))
    if members is None:
        raise StoreError(
            f"There is no set of versions {generation!r}.",
            hint="The run was made on another database, or the set was removed.",
        )
    return dict(sorted(members.items()))


def _find(connection: sa.Connection, hash_: str) -> Version | None:
    row = connection.execute(sa.select(versions).where(versions.c.hash == hash_)).first()
    return _version(row) if row else None


def _stored(connection: sa.Connection, hash_: str) -> Version:
    found = _find(connection, hash_)
    if found is None:
        raise StoreError(f"There is no stored version {hash_!r}.", hint="`put` it first.")
    return found


def _all_of(connection: sa.Connection, hashes: Iterable[str]) -> list[Version]:
    rows = connection.execute(sa.select(versions).where(versions.c.hash.in_(hashes)))
    return [_version(row) for row in rows]


def _one_at_a_time(connection: sa.Connection, what: str) -> None:
    """Until the transaction's end, nobody else comes past here with the same words."""
    lock = sa.func.hashtextextended(what, 0)
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))


def _lasting(environment: str) -> sa.ColumnElement[bool]:
    """The rows that say what is live in an environment."""
    newest = (
        sa.select(sa.func.max(deployments.c.id))
        .where(deployments.c.environment == environment)
        .group_by(deployments.c.agent)
    )
    return deployments.c.id.in_(newest) & ~deployments.c.ended


def _first_with_room(connection: sa.Connection, environment: str, room: int) -> int:
    """The location that a new agent goes to; until the transaction's end nobody else gets one."""
    _one_at_a_time(connection, f"agentflow location {environment}")
    agents = _agents_by_location(connection, environment)
    return next(number for number in itertools.count(1) if agents.get(number, 0) < room)


def _agents_by_location(connection: sa.Connection, environment: str) -> dict[int, int]:
    live = sa.func.count().filter(_lasting(environment))
    counted = sa.select(deployments.c.location, live).group_by(deployments.c.location)
    rows = connection.execute(counted.where(deployments.c.environment == environment))
    return {row[0]: row[1] for row in rows}


def _live(connection: sa.Connection, environment: str, agent: str) -> Deployment | None:
    of_agent = (deployments.c.environment == environment) & (deployments.c.agent == agent)
    newest = sa.select(sa.func.max(deployments.c.id)).where(of_agent).scalar_subquery()
    lasting = (deployments.c.id == newest) & ~deployments.c.ended
    row = connection.execute(_DEPLOYMENTS.where(lasting)).first()
    return _deployment(row) if row else None


def _deployed(
    connection: sa.Connection, environment: str, agent: str, *, limit: int | None = None
) -> list[Deployment]:
    of_agent = (deployments.c.environment == environment) & (deployments.c.agent == agent)
    of_agent &= ~deployments.c.ended
    newest_first = _DEPLOYMENTS.where(of_agent).order_by(deployments.c.id.desc()).limit(limit)
    return [_deployment(row) for row in connection.execute(newest_first)]


def _deployment(row: sa.Row[Any]) -> Deployment:
    return Deployment(row.environment, _version(row), row.deployed_at, row.location)


def _version(row: sa.Row[Any]) -> Version:
    return Version(
        hash=VersionHash(row.hash),
        agent=row.agent,
        number=row.number or 0,
        document=row.document,
        source=row.source,
        created_at=row.created_at,
    )
