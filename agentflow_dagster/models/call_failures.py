"""How a call failed: what happened, what to do, what may have been billed, who may be asked next.

No key ever stands in a message: the provider's own words are shown with keys blanked out, and not
at all where it refused the key.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from agentflow_dagster.engine.redaction import Redactor
from agentflow_dagster.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.models.choice import Choice
    from agentflow_dagster.ports.ledger import Outcome
    from agentflow_dagster.ports.model import Usage

_KEY_LIKE = re.compile(r"\b(?:sk|pk|gsk|xai|key|AIza|hf|Bearer)[-_ ][\w*.-]{6,}", re.IGNORECASE)
_PREAMBLE = re.compile(r"^(?:litellm\.\w+: )?(?:\w+: )?(?:\w+Exception - )?")
_LONGEST_DETAIL = 300


class CallFailed(Exception):
    """One call of one model gave no answer.

    Args:
        error: What whoever asked is told, if nobody else answers.
        outcome: What may have been billed.
        usage: What was, where that is known.
        retry_after: Seconds that the provider asks to be left alone.
        again: Whether the same model may do better.
        elsewhere: Whether another model may.
    """

    def __init__(
        self,
        error: ModelError,
        *,
        outcome: Outcome,
        usage: Usage | None = None,
        retry_after: float | None = None,
        again: bool = True,
        elsewhere: bool = True,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.outcome: Outcome = outcome
        self.usage = usage
        self.retry_after = retry_after
        self.again = again
        self.elsewhere = elsewhere


def timed_out(choice: Choice, how: str) -> CallFailed:
    """A model that took too long: `how` says in which way."""
    error = _failure(choice, f"{choice.name} {how}.", hint="Raise the limit, or ask for less.")
    return CallFailed(error, outcome="lost")


def call_failed(error: Exception, choice: Choice, *, timeout: float | None) -> CallFailed:
    """The failure of one call.

    Args:
        error: What LiteLLM raised.
        choice: Who was asked.
        timeout: The call's limit in seconds, for the message of a timeout.
    """
    told = _model_error(error, choice, timeout=timeout)
    return CallFailed(
        told,
        outcome="refused" if _was_refused(error, told) else "lost",
        retry_after=_retry_after(error),
        again=told.retryable,
    )


def _was_refused(error: Exception, told: ModelError) -> bool:
    """Whether the provider did nothing that it could bill."""
    import httpx

    causes = tuple(_causes(error))
    if any(isinstance(c, httpx.ConnectError | httpx.ConnectTimeout | ImportError) for c in causes):
        return True
    if any(isinstance(c, httpx.TransportError) for c in causes):
        return False
    odd = (json.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError, ValueError)
    is_error = told.status is not None and told.status >= 400
    return is_error and not any(isinstance(c, odd) for c in causes)


def _retry_after(error: Exception) -> float | None:
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        for headers in (
            getattr(cause, "litellm_response_headers", None),
            getattr(cause, "headers", None),
            getattr(response, "headers", None),
        ):
            told = headers.get("retry-after") if headers is not None else None
            if told is not None and (seconds := _seconds(str(told))) is not None:
                return seconds
    return None


def _seconds(told: str) -> float | None:
    """A `Retry-After`: seconds, or a date."""
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(told)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _model_error(error: Exception, choice: Choice, *, timeout: float | None) -> ModelError:
    import httpx
    import litellm.exceptions
    import openai

    causes = tuple(_causes(error))
    if missing := next((c for c in causes if isinstance(c, ImportError)), None):
        # Models of OpenAI's Responses protocol alone; clouds with a library of their own.
        return _failure(
            choice,
            f"LiteLLM cannot call {choice.name} here: {missing}.",
            retryable=False,
            hint="Name another model, or install what is missing.",
        )
    if isinstance(error, litellm.exceptions.Timeout):
        limit = "its time limit" if timeout is None else f"{timeout:.1f} s"
        return _failure(
            choice,
            f"{choice.name} had not answered after {limit}.",
            hint="Raise the node's timeout, or ask for less.",
        )
    if any(isinstance(c, httpx.RemoteProtocolError | httpx.ReadError) for c in causes) and not any(
        isinstance(c, httpx.ConnectError) for c in causes
    ):
        return _failure(choice, f"The reply of {choice.name} did not arrive whole.")
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
        text = _without(choice.key).text(text)
    text = " ".join(_KEY_LIKE.sub("***", text).split())
    return text if len(text) <= _LONGEST_DETAIL else f"{text[: _LONGEST_DETAIL - 1]}…"


@lru_cache(maxsize=64)
def _without(key: str) -> Redactor:
    return Redactor((key,))


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
