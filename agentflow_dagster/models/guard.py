"""Keeps tests from asking real models, which cost money and answer differently each time.

Our pytest plugin sets the variable, so that child processes know it too.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentflow_dagster.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "AGENTFLOW_REAL_MODELS"
"""`0` has calls refused that would leave this machine; anything else, and nothing, lets them be."""


def refuse_real_call(
    base: str | None, *, provider: str, model: str, environment: Mapping[str, str]
) -> None:
    """Refuses a call of a model, where tests are not to make any.

    Args:
        base: The URL that is called; None is the provider's own.
        provider, model: Who would be asked.
        environment: Environment variables.

    Raises:
        ModelError: the call would leave this machine. Not retryable.
    """
    if environment.get(VARIABLE) != "0" or (base and _is_here(base)):
        return
    raise ModelError(
        f"A test would have called a real model, {model!r} of {provider!r}.",
        model=model,
        provider=provider,
        retryable=False,
        hint="Use agentflow_dagster.testing (a scripted model, a ModelServer, a cassette); or mark "
        f"the test with pytest.mark.real_models, or set {VARIABLE}=1.",
    )


def _is_here(base: str) -> bool:
    host = urlsplit(base).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
