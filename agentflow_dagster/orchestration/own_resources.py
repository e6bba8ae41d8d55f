"""Resources of a project where no run of Dagster's opens them: in tests, kernels, estimates."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from dagster import build_resources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.secrets import Secrets


def opened_secrets(resource: object) -> tuple[Secrets, Mapping[str, str]]:
    """What a project's `secrets` resource hands out: the adapter, and what `{{env.NAME}}` reads.
    It is torn down when the process ends.
    """
    stack = ExitStack()
    opened: Any = stack.enter_context(build_resources({"secrets": resource}))
    atexit.register(stack.close)
    return opened.secrets.adapter(), opened.secrets.environment()
