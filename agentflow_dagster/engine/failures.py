"""Whatever went wrong in an attempt, as a `RunError` that anyone may read: no secret is in it."""

from __future__ import annotations

import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from agentflow_dagster.errors import AgentFlowError, ChecksFailed, CodeError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentflow_dagster.engine.redaction import Redactor
    from agentflow_dagster.graph.code_places import CodePlace
    from agentflow_dagster.spec.checks import CheckResult
    from agentflow_dagster.spec.values import JsonObject, Value


def run_error(
    failure: Exception, node: str, redactor: Redactor, place: CodePlace | None = None
) -> RunError:
    """The failure of a node's attempt, fit to be logged, stored and shown.

    Args:
        failure: What was raised.
        node: The node's name.
        redactor: Takes secrets out, and what rules name.
        place: Where the node's code stands in its author's notebook.
    """
    found = _fit_to_tell(failure, node, redactor)
    if place is not None:
        found.message = place.told(found.message, node)
        found.args = (found.message,)
        found.traceback = place.told(found.traceback, node)
    return found


def _fit_to_tell(failure: Exception, node: str, redactor: Redactor) -> RunError:
    if isinstance(failure, ValidationError):
        return _unfit_config(failure, node, redactor)
    if isinstance(failure, RunError):
        return _without_secrets(failure, redactor)
    if isinstance(failure, AgentFlowError):
        return RunError(redactor.shown(failure.message), hint=redactor.shown(failure.hint))
    message = f"{node!r} failed: {type(failure).__name__}: {failure}"
    where = "".join(traceback.format_exception(failure))
    return RunError(redactor.shown(message), traceback=redactor.shown(where))


def told(failure: RunError) -> dict[str, Value]:
    """What a node sees of the failure that it takes on."""
    return {"message": str(failure), "type": type(failure).__name__}


def _unfit_config(failure: ValidationError, node: str, redactor: Redactor) -> RunError:
    """Without the values: pydantic shortens them, and a shortened secret is not recognized."""
    told = [
        f"{'.'.join(str(part) for part in detail['loc']) or 'with'}: {detail['msg']}"
        for detail in failure.errors(include_url=False, include_input=False, include_context=False)
    ]
    return RunError(
        redactor.shown(f"The config of {node!r} does not fit: {'; '.join(told)}."),
        hint="An expression in its `with` gives something else than the field takes.",
        retryable=False,
    )


def _without_secrets(failure: RunError, redactor: Redactor) -> RunError:
    failure.message = redactor.shown(failure.message)
    failure.hint = redactor.shown(failure.hint)
    failure.args = (failure.message,)
    failure.traceback = redactor.shown(failure.traceback)
    if isinstance(failure, CodeError):
        failure.stdout = redactor.shown(failure.stdout)
    if isinstance(failure, ChecksFailed):
        failure.checks = redacted_checks(failure.checks, redactor)
    failure.__cause__ = failure.__context__ = None
    failure.__notes__ = [redactor.shown(note) for note in getattr(failure, "__notes__", ())]
    return failure


def redacted_checks(checks: Iterable[CheckResult], redactor: Redactor) -> tuple[CheckResult, ...]:
    """Results of checks without secrets: their samples are of the data that was judged."""
    return tuple(
        replace(
            check,
            description=redactor.shown(check.description),
            facts=cast("JsonObject", redactor.shown_value(cast("Value", dict(check.facts)))),
        )
        for check in checks
    )
