"""The HTTP front door: health, and webhooks that become events in the inbox and are started."""

from agentflow_dagster.gateway.app import create_app

__all__ = ["create_app"]
