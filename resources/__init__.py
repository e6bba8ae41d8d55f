"""What the agents' steps work with: one Dagster resource per file, each a thin configuration of an
adapter in the package. Edit these, or add fields, to fit your own deployment.
"""

from __future__ import annotations

from resources.code import CodeResource
from resources.model import ModelResource
from resources.secrets import SecretsResource
from resources.sources import SourcesResource
from resources.stores import StoresResource


def resources_for(environment: str) -> dict[str, object]:
    """The resources of an environment (`local`, `production` …), by the keys that steps ask for."""
    del environment  # Every environment takes the same ones until yours differ.
    return {
        "model": ModelResource(),
        "code": CodeResource(),
        "secrets": SecretsResource(),
        "sources": SourcesResource(),
        "stores": StoresResource(),
    }
