"""The URL at which others answer a step."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, cast

from agentflow_dagster.engine.sub_steps import SubSteps
from agentflow_dagster.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.journal import Journal
    from agentflow_dagster.spec.values import Value

_BYTES = 32


async def callback_token(journal: Journal, path: str) -> str:
    """What a caller of a step's URL shows: the same in every attempt of the step."""

    async def made() -> Value:
        return secrets.token_urlsafe(_BYTES)

    return str(await SubSteps(journal, path).once("callback", made))


def with_callback_url(scope: Mapping[str, Value], public_url: str, token: str) -> dict[str, Value]:
    """The scope of a step's config, with the URL as `run.callback_url`.

    Raises:
        RunError: nobody has said where others reach this project.
    """
    if not public_url:
        raise RunError(
            "There is no URL at which others could call back.",
            hint="Run it where `agentflow up` is, or set AGENTFLOW_PUBLIC_URL.",
            retryable=False,
        )
    run = cast("dict[str, Value]", scope["run"])
    url = f"{public_url.rstrip('/')}/callbacks/{token}"
    return {**scope, "run": {**run, "callback_url": url}}
