"""What AgentFlow keeps in PostgreSQL: versions and deployments, step outputs, the inbox.

Tables stand in schema `agentflow` of the database that Dagster uses. `database_url` says which
database that is, `open_stores` opens what is in it. SQLAlchemy is imported only then.
"""

from agentflow_dagster.stores.database_url import VARIABLE, database_url
from agentflow_dagster.stores.opening import Stores, open_stores

__all__ = ["VARIABLE", "Stores", "database_url", "open_stores"]
