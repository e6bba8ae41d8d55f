"""What Dagster's UI shows of a step: what came out and what it took, or what went wrong."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

from dagster import ExpectationResult, Failure, MetadataValue

from agentflow_dagster.engine.spending import figures
from agentflow_dagster.errors import CodeError, NotebookFailed
from agentflow_dagster.orchestration.names import PARENT_RUN_TAG
from agentflow_dagster.orchestration.preview import markdown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agentflow_dagster.engine.redaction_rules import Rules
    from agentflow_dagster.engine.step import StepResult
    from agentflow_dagster.errors import RunError
    from agentflow_dagster.graph.plan import PlanStep
    from agentflow_dagster.ports.stores import StepOutput
    from agentflow_dagster.ports.waits import Asked
    from agentflow_dagster.spec.values import JsonValue

_LINKS = 50
_FIGURES = ("tokens_in", "tokens_out", "cost_usd", "model", "provider")


def metadata(step: PlanStep, done: StepResult, run_tags: Mapping[str, str]) -> dict[str, object]:
    """Of the output of a step that is an asset; nothing of others.

    Dagster folds what is long: what came out stands before what it took.
    """
    if not step.asset or done.result is None:
        return {}
    return {
        "preview": MetadataValue.md(markdown(done.result.output, done.rules)),
        **_notebook(done.result.notebook),
        **_links(done.result.runs, run_tags),
        **_figures(done.figures, done.rules),
    }


def metadata_again(step: PlanStep, kept: StepOutput, rules: Rules) -> dict[str, object]:
    """As `metadata`, of a step of which no more is known than what is kept of it."""
    if kept.port == "error":
        return {"error": cast("Mapping[str, object]", kept.value)["message"]}
    if not step.asset:
        return {}
    beside = {"kind", "attempts", "notebook"}
    facts = {name: it for name, it in kept.facts.items() if name not in beside}
    notebook = _notebook(str(kept.facts.get("notebook") or ""))
    preview = MetadataValue.md(markdown(kept.value, rules))
    return {"preview": preview, **notebook, **_figures(facts, rules)}


def _figures(told: Mapping[str, JsonValue], rules: Rules) -> dict[str, object]:
    """Why a model was chosen may quote what a provider said of a prompt."""
    figures = {name: it for name, it in told.items() if it != ""}
    return {n: rules.text(it) if isinstance(it, str) else it for n, it in figures.items()}


def failure(problem: RunError, *, last: bool) -> Failure:
    """As which a failed attempt is told.

    Dagster would tell of retries used up, not of what went wrong, had it to stop them.
    """
    return Failure(str(problem), metadata=cast("Any", described(problem)), allow_retries=not last)


def expectation(problem: RunError) -> ExpectationResult:
    """The one event by which a step that succeeds can show in the UI that something failed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Until Dagster 2.0; we pin 1.13.
        return ExpectationResult(
            success=False,
            label="onError",
            description=str(problem),
            metadata=cast("Any", described(problem)),
        )


def described(problem: RunError) -> dict[str, object]:
    """What is known of a failure beside its message."""
    told: dict[str, object] = {"error": type(problem).__name__}
    if problem.traceback:
        told["traceback"] = MetadataValue.md(f"```\n{problem.traceback}\n```")
    if isinstance(problem, CodeError) and problem.stdout:
        told["stdout"] = MetadataValue.md(f"```\n{problem.stdout}\n```")
    if isinstance(problem, NotebookFailed):
        told |= _notebook(problem.notebook)
    if problem.usage:
        taken = figures(problem.usage)
        told |= {name: taken[name] for name in _FIGURES if taken.get(name, "") != ""}
    return told


def _notebook(path: str) -> dict[str, object]:
    """A notebook as executed, which the UI opens."""
    return {"executed notebook": cast("Any", MetadataValue).notebook(path)} if path else {}


def taken_on(step: PlanStep, problem: RunError) -> str:
    """The line of log of a failure that another node handles."""
    return f"{step.name!r} failed, and {step.node.on_error!r} takes it on: {problem}"


def skipped(step: PlanStep) -> str:
    """The line of log of a step that its `when` skips."""
    return f"{step.name!r} is skipped: its `when` is false."


def _links(started: Sequence[str], run_tags: Mapping[str, str]) -> dict[str, Any]:
    """The runs above and below this one, each a link in the UI."""
    links = {f"run_{i}": MetadataValue.dagster_run(r) for i, r in enumerate(started[:_LINKS], 1)}
    if (parent := run_tags.get(PARENT_RUN_TAG)) is not None:
        links["parent_run"] = MetadataValue.dagster_run(parent)
    return links


def told_wait(path: str, asked: Asked, rules: Rules) -> str:
    """What a step waits for."""
    match asked.kind:
        case "timer":
            when = asked.subject.get("for") or asked.subject.get("until")
            return f"{path!r} goes on {'at' if 'until' in asked.subject else 'after'} {when}"
        case "callback":
            return f"{path!r} waits for its URL to be called"
        case _:
            whom = ", ".join(asked.people) or "anyone"
            done = "approval" if asked.kind == "approval" else "an answer"
            ask = rules.text(str(asked.subject["ask"]))
            return f"{path!r} waits for {done} by {whom}: {ask}"
