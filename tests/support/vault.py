"""A project's own place for secrets: a folder beside it, a file for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RESOURCE = '''\
"""Secrets are files of the folder `vault` beside the project."""

import os
from pathlib import Path

from dagster import ConfigurableResource


class Vault:
    def __init__(self, folder):
        self.folder = folder

    def lookup(self, name):
        file = self.folder / name
        return file.read_text() if file.is_file() else None


class SecretsResource(ConfigurableResource):
    folder: str = "vault"

    def adapter(self):
        return Vault(Path(__file__).parents[2] / self.folder)

    def environment(self):
        return dict(os.environ)
'''


def keep_secrets_elsewhere(root: Path, **values: str) -> None:
    """Has a project take its secrets from a folder beside it, and puts some there."""
    (root / "resources" / "secrets.py").write_text(RESOURCE)
    folder = root.parent / "vault"
    folder.mkdir(exist_ok=True)
    for name, value in values.items():
        (folder / name).write_text(value)
