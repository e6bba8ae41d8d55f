"""Turns what LiteLLM raises into a ModelError: what happened, whether to try again, what to do.

No key ever stands in a message: the provider's own words are shown with keys blanked out, and not
at all where it refused the key.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from agentflow_dagster.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.models.choice import Choice

_KEY_LIKE = re.compile(r"\b(?:sk|pk|gsk|xai|key|AIza|hf|Bearer)[-_ ][\w*.-]{6,}", re.IGNORECASE)
_PREAMBLE = re.compile(r"^(?:litellm\.\w+: )?(?:\w+: )?(?:\w+Exception - )?")
_LONGEST_DETAIL = 300


def model_error(error: Exception, choice: Choice, *, timeout: float | None) -> ModelError:
    """The failure of one call.

    Args:
        error: What LiteLLM raised.
        timeout: The call's limit in seconds, for the message of a timeout.
    """
    import httpx
    import litellm.exceptions
    import openai

    causes = tuple(_causes(error))
    if isinstance(error, litellm.exceptions.Timeout):
        limit = "its time limit" if timeout is None else f"{timeout} s"
        return _failure(
            choice,
            f"{choice.name} had not answered after {limit}.",
            hint="Raise the node's timeout, or ask for less.",
        )
    if any(isinstance(c, openai.APIConnectionError | httpx.TransportError) for c in causes):
        return _failure(
            choice,
            f"{choice.provider} cannot be reached at {choice.base or 'its usual address'}.",
            hint="Check the network and the base URL.",
        )
    if any(isinstance(c, json.JSONDecodeError) for c in causes):
        return _failure(
            choice,
            f"What {choice.provider} sent for {choice.model!r} is no JSON.",
            hint="Check that the base URL leads to its API.",
        )
    status = getattr(error, "status_code", None)
    return _refused(error, choice, status if isinstance(status, int) else None)


def _refused(error: Exception, choice: Choice, status: int | None) -> ModelError:
    said = f"{choice.provider} answered {status or 'with an error'} for {choice.model!r}"
    settings = choice.settings or f"{choice.provider}'s key"
    detail = _detail(error, choice)
    match status:
        case 401:
            return _failure(
                choice,
                f"{said}: it does not accept the key.",
                status=status,
                retryable=False,
                hint=f"Check {settings}.",
            )
        case 403:
            hint = f"Check that the key in {settings} may use this model."
        case 404:
            hint = "Check the model's name and the base URL."
        case 429:
            hint = "The rate or credit of the key is used up for now."
        case _:
            hint = ""
    retryable = status is None or status in {408, 409, 425, 429} or status >= 500
    return _failure(choice, f"{said}: {detail}", status=status, retryable=retryable, hint=hint)


def _failure(
    choice: Choice,
    message: str,
    *,
    status: int | None = None,
    retryable: bool = True,
    hint: str = "",
) -> ModelError:
    return ModelError(
        message,
        model=choice.model,
        provider=choice.provider,
        status=status,
        retryable=retryable,
        hint=hint,
    )


def _detail(error: Exception, choice: Choice) -> str:
    text = _PREAMBLE.sub("", str(getattr(error, "message", error)))
    if choice.key:
        text = text.replace(choice.key, "***")
    text = " ".join(_KEY_LIKE.sub("***", text).split())
    return text if len(text) <= _LONGEST_DETAIL else f"{text[: _LONGEST_DETAIL - 1]}…"


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
