"""The one hierarchy of errors: author's mistakes stand apart from failures of a run.

An error carries fields, names the thing it is about, and says what to do. Everything that
crosses a room's boundary is one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from agentflow_dagster.ports.model import Usage
    from agentflow_dagster.spec.checks import CheckResult
    from agentflow_dagster.spec.diagnostics import Diagnostic


class AgentFlowError(Exception):
    """Base of all that AgentFlow raises.

    Args:
        message: What went wrong, naming the thing with its value.
        hint: What to do about it, one sentence; shown after the message.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class DocumentError(AgentFlowError):
    """An author's mistake: the document cannot be used as it stands."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        first = diagnostics[0]
        more = f" (and {len(diagnostics) - 1} more)" if len(diagnostics) > 1 else ""
        super().__init__(f"{first}{more}", hint="`agentflow check` lists every problem.")
        self.diagnostics = tuple(diagnostics)


class UsageError(AgentFlowError):
    """A command or call was used wrongly: a missing file, an unknown name, a port in use."""


class RunError(AgentFlowError):
    """A step could not do its work.

    Args:
        message: What went wrong.
        hint: What to do about it.
        retryable: Whether another attempt may succeed.
        traceback: Where in whose code it happened, for the one who has to mend it.

    `usage` has what calls of models took before it failed.
    """

    def __init__(
        self, message: str, *, hint: str = "", retryable: bool = True, traceback: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable
        self.traceback = traceback
        self.usage: tuple[Usage, ...] = ()


class StepTimeout(RunError):
    """A step was still at work at its time limit."""


class UnknownOutcome(RunError):
    """A step was under way when its process ended, and is not to be repeated: nobody knows whether
    it was done."""


class ModelError(RunError):
    """A model call failed. `status` is the provider's HTTP status where there was one."""

    def __init__(
        self,
        message: str,
        *,
        model: str,
        provider: str,
        status: int | None = None,
        retryable: bool = True,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint, retryable=retryable)
        self.model = model
        self.provider = provider
        self.status = status


class BudgetError(RunError):
    """A call might cost more than there is left to spend; it was not made.

    Args:
        message: What went wrong, with the figures.
        budget: Which: `run`, `agent`, `workspace`.
        limit_usd: What may be spent.
        left_usd: What of it is neither spent nor set aside.
        hint: What to do about it.
    """

    def __init__(
        self, message: str, *, budget: str, limit_usd: Decimal, left_usd: Decimal, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint, retryable=False)
        self.budget = budget
        self.limit_usd = limit_usd
        self.left_usd = left_usd


class CodeError(RunError):
    """The author's code raised, or went past a limit. `traceback` shows the author's lines only."""

    def __init__(
        self, message: str, *, traceback: str = "", stdout: str = "", retryable: bool = True
    ) -> None:
        super().__init__(message, retryable=retryable, traceback=traceback)
        self.stdout = stdout


class NotebookFailed(RunError):
    """A notebook did not come to its end. `notebook` is the path of what there is of it; "" where
    nothing is."""

    def __init__(
        self,
        message: str,
        *,
        notebook: str = "",
        hint: str = "",
        retryable: bool = True,
        traceback: str = "",
    ) -> None:
        super().__init__(message, hint=hint, retryable=retryable, traceback=traceback)
        self.notebook = notebook


class ChecksFailed(RunError):
    """The data is not as the node's checks want it. `checks` has how each came out."""

    def __init__(self, message: str, *, checks: tuple[CheckResult, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint, retryable=False)
        self.checks = checks


class ValueNotStorable(RunError):
    """A step's value has no stored form. `path` says where in the value it stands."""

    def __init__(self, path: str, type_name: str, *, hint: str = "") -> None:
        super().__init__(
            f"{path or 'the value'} is a {type_name}, which cannot pass from one step to the next.",
            hint=hint or "Pass JSON values, tables, arrays or bytes; convert it where it is made.",
            retryable=False,
        )
        self.path = path
        self.type_name = type_name


class TypeNotKnown(RunError):
    """A stored value is of a type that is not registered in this process."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"A value is of the registered type {name!r}, which is not known here.",
            hint="Register it in a setup cell (agentflow_dagster.register_type), or install the "
            "package that gives it.",
            retryable=False,
        )
        self.name = name


class StoreError(AgentFlowError):
    """The store refused or could not be reached."""


class SourceError(AgentFlowError):
    """A trigger's source cannot be asked: a folder, a database, a service."""
