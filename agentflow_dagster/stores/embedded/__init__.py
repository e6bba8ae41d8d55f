"""A PostgreSQL server of our own for one machine, from a wheel, with nothing to install or set up.

Every process that uses it *holds* it; the kernel lets go for a process that dies, so the server
ends after its last holder however that one ended, and never under one that lives.
"""

from agentflow_dagster.stores.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
