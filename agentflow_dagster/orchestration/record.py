"""A run as a person wants to see it: Dagster's record of it, with our figures and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from agentflow_dagster.engine.outputs import agent_outputs
from agentflow_dagster.orchestration.client import FINISHED, FailureTold
from agentflow_dagster.orchestration.names import INPUT, step_key
from agentflow_dagster.orchestration.partitions import PARTITION
from agentflow_dagster.spec.values import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.orchestration.client import DagsterClient, StepTold
    from agentflow_dagster.ports.stores import StepOutput, StepStore
    from agentflow_dagster.spec.values import JsonObject, JsonValue

_NO_FAILURE = FailureTold("")


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """One node of a run.

    Args:
        status: SUCCESS, FAILURE, SKIPPED, IN_PROGRESS, HANDLED_ERROR, or NOT_RUN (not reached, or
            not yet).
        attempts: How often it was tried.
        latency_ms: Milliseconds from its first attempt to its end; 0 where it did not run.
        cost_usd: USD; None where a model's price is not known.
        error: What went wrong; "" where nothing did.
    """

    name: str
    kind: str
    status: str
    attempts: int
    latency_ms: float
    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    model: str
    provider: str
    error: str

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run; times in milliseconds from when it was asked for."""

    run_id: str
    agent: str
    status: str
    outputs: JsonObject
    nodes: tuple[NodeRecord, ...]
    first_step_ms: float | None
    latency_ms: float | None
    url: str
    error: str

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in FINISHED

    @property
    def cost_usd(self) -> float | None:
        """USD for the run; None where a model's price is not known."""
        costs = [n.cost_usd for n in self.nodes]
        return None if None in costs else sum(cast("list[float]", costs))

    def to_json(self) -> JsonObject:
        """The fields that `--json` prints."""
        return {
            "run_id": self.run_id,
            "agent": self.agent,
            "status": self.status,
            "outputs": self.outputs,
            "nodes": [node.to_json() for node in self.nodes],
            "cost_usd": self.cost_usd,
            "tokens_in": sum(n.tokens_in for n in self.nodes),
            "tokens_out": sum(n.tokens_out for n in self.nodes),
            "first_step_ms": self.first_step_ms,
            "latency_ms": self.latency_ms,
            "url": self.url,
            "error": self.error,
        }


def read_record(
    client: DagsterClient,
    plan: Plan,
    steps: StepStore,
    run_id: str,
    *,
    environment: Mapping[str, str],
    asked_at: float | None = None,
) -> RunRecord:
    """Puts a run's record together.

    Args:
        client: The webserver that has it.
        plan: The version that it runs.
        steps: Where its values are.
        run_id: The run.
        environment: Values of `{{env.…}}` in the agent's outputs.
        asked_at: When the run was asked for (Unix seconds); None takes its creation.
    """
    told = client.run(run_id)
    stats = {s["stepKey"]: s for s in told.get("stepStats", ())}
    failures = client.failures(run_id) if told["status"] == "FAILURE" else {}
    if len(failures) > 1:
        failures.pop("", None)  # The run failed because a step did, and that says why.
    stored = steps.all(run_id)
    nodes = tuple(
        _node(plan, step.name, stats, stored.get(step.name), failures) for step in plan.steps
    )
    since = asked_at if asked_at is not None else told["creationTime"]
    starts = [s["startTime"] for s in told.get("stepStats", ()) if s["startTime"]]
    given = cast("JsonObject", stored[INPUT].value) if INPUT in stored else {}
    partition = cast("JsonObject", stored[PARTITION].value) if PARTITION in stored else {}
    outputs: dict[str, Any] = agent_outputs(
        plan.agent, run_id, given, stored, environment, partition=partition
    )
    return RunRecord(
        run_id=run_id,
        agent=plan.agent.name,
        status=told["status"],
        outputs=cast("JsonObject", split(outputs)[0]),
        nodes=nodes,
        first_step_ms=_ms(since, min(starts)) if starts else None,
        latency_ms=_ms(since, told["endTime"]) if told["endTime"] else None,
        url=client.run_url(run_id),
        error=failures[""].message if "" in failures else "",
    )


def _node(
    plan: Plan,
    name: str,
    stats: Mapping[str, StepTold],
    stored: StepOutput | None,
    failures: Mapping[str, FailureTold],
) -> NodeRecord:
    key = step_key(plan.agent.name, name)
    failure = failures.get(key, _NO_FAILURE)
    facts: Mapping[str, JsonValue] = stored.facts if stored else failure.facts
    told = stats.get(key) or _unreached(key)
    status = told["status"] or "NOT_RUN"
    error = failure.message
    if stored is not None and stored.port == "error":
        status, error = "HANDLED_ERROR", str(cast("JsonObject", stored.value)["message"])
    began, ended = told["startTime"], told["endTime"]
    attempts = len(told["attempts"]) or (1 if began else 0)
    return NodeRecord(
        name=name,
        kind=plan.step(name).node.kind,
        status=status,
        attempts=attempts if status != "SKIPPED" else 0,
        latency_ms=_ms(began, ended) if began and ended and status != "SKIPPED" else 0.0,
        tokens_in=int(cast("int", facts.get("tokens_in") or 0)),
        tokens_out=int(cast("int", facts.get("tokens_out") or 0)),
        cost_usd=_cost(facts),
        model=str(facts.get("model") or ""),
        provider=str(facts.get("provider") or ""),
        error=error,
    )


def _unreached(key: str) -> StepTold:
    return {"stepKey": key, "status": None, "startTime": None, "endTime": None, "attempts": []}


def _cost(facts: Mapping[str, JsonValue]) -> float | None:
    if "tokens_in" not in facts:
        return 0.0
    cost = facts.get("cost_usd")
    return float(cost) if isinstance(cost, int | float) else None


def _ms(began: float, ended: float) -> float:
    """None is below 0: Dagster takes both from the machine's clock, which may be set back."""
    return round(max(0.0, ended - began) * 1000, 1)
