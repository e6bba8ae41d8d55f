"""`%agentflow version`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from agentflow_dagster.jupyter.commands import Asked

SUMMARY = "Says which version of AgentFlow this is."


def arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def carry_out(_asked: Asked) -> None:
    """Writes the version."""
    from agentflow_dagster import __version__

    sys.stdout.write(f"AgentFlow {__version__}\n")
