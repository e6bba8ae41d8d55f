"""The model as one attempt of a step sees it: it says whose call it is, by which rules, and counts.

A node's kind asks for what it wants said; what the document says of models is added here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from agentflow_dagster.engine.heard import RedactedListener
from agentflow_dagster.ports.ledger import Caller
from agentflow_dagster.spec.demands import Fallback, LLMRouting, Needs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentflow_dagster.engine.spending import CallLimit, Spending
    from agentflow_dagster.graph.plan import Plan
    from agentflow_dagster.ports.model import Listener, Model, ModelReply, ModelRequest, Usage
    from agentflow_dagster.spec.document import LLM


@dataclass(slots=True)
class StepModel:
    """A `Model` for one attempt of one step.

    Args:
        model: Who answers.
        caller: Whose call it is.
        llm: What the document says of the step's calls.
        routing: Which models answer them; None leaves it to the project.
        own_model: Whether the step itself names its model, which then goes before the routing.
        code_version: Of the step, for replies that are kept.
        sensitive: Whether what the step reads is: only a local model may see it.
        limits: Of calls: the step's, and those of the steps around it.
        spending: Of the run.
        tell: Is told why a model answered, where it was not simply the one that was named.
        listener: Hears replies while they come, where the kind does not listen itself.
    """

    model: Model
    caller: Caller
    llm: LLM
    routing: LLMRouting | None
    own_model: bool
    code_version: str
    sensitive: bool
    limits: Sequence[CallLimit]
    spending: Spending
    tell: Callable[[str], object]
    listener: Listener | None = None
    answered: list[Usage] = field(default_factory=list["Usage"])
    failed: list[Usage] = field(default_factory=list["Usage"])
    _asked: Counter[str] = field(default_factory=Counter[str])

    async def complete(self, request: ModelRequest, listener: Listener | None = None) -> ModelReply:
        """See `ports.model.Model`.

        Raises:
            RunError: the step may ask no more.
        """
        self.spending.count(self.limits)
        try:
            heard = listener or self.listener
            reply = await self.model.complete(self._whole(request), heard)
            if isinstance(heard, RedactedListener):
                heard.end()
        except BaseException as error:
            # A call that was given up may have been billed: it says so, too.
            self._note(getattr(error, "usage", ()), self.failed)
            raise
        self._note(reply.failed, self.failed)
        self._note((reply.usage,), self.answered)
        if reply.failed or reply.usage.memo or self.routing is not None:
            self.tell(f"{reply.usage.provider}/{reply.usage.model}: {reply.usage.reason}")
        return reply

    def _note(self, usage: Sequence[Usage], among: list[Usage]) -> None:
        among.extend(usage)
        for one in usage:
            self.spending.add(self.caller.node, one)

    def _whole(self, request: ModelRequest) -> ModelRequest:
        """The request, with what the document says."""
        model, routing = request.model, self.routing
        if routing is not None and model is not None and not self.own_model:
            # The agent's default is what is left where no model of the routing may answer.
            last = Fallback.model_construct(provider="", model=model, conditions=())
            routing = LLMRouting(strategy=routing.strategy, fallbacks=(*routing.fallbacks, last))
            model = None
        return replace(
            request,
            model=model,
            routing=routing,
            needs=self._needs(request),
            prompt_cache=request.prompt_cache or bool(self.llm.prompt_cache),
            memo=self._memo(request) if self.llm.cache else "",
            caller=self.caller,
        )

    def _needs(self, request: ModelRequest) -> Needs | None:
        said = request.needs or self.llm.needs
        if not self.sensitive:
            return said
        return (said or Needs()).model_copy(update={"data_sensitivity": "high"})

    def _memo(self, request: ModelRequest) -> str:
        """The node's version, and which of its equal calls in the run this is: asked thrice, it may
        say three things, and each again when it is run or attempted again."""
        said = [[m.role, m.content, len(m.images)] for m in request.messages]
        digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
        self._asked[digest] += 1
        place = self.spending.place(f"{self.code_version}:{digest}", self.caller.node)
        return f"{self.code_version}#{place}.{self._asked[digest]}"


def caller_of(
    plan: Plan, path: str, *, attempt: int, run_id: str, parents: tuple[str, ...]
) -> Caller:
    """Whose the calls of a step are, and what its agent may spend.

    Args:
        plan: The agent.
        path: The step, with the bodies that it stands in.
        attempt: 1 for the first.
        run_id: The run.
        parents: The runs that it is a child of, the nearest first.
    """
    budget = plan.agent.spec.budget
    return Caller(
        run_id=run_id,
        agent=plan.agent.name,
        node=path,
        attempt=attempt,
        parents=parents,
        per_run_usd=_usd(budget.per_run_usd) if budget else None,
        monthly_usd=_usd(budget.monthly_usd) if budget else None,
    )


def _usd(said: float | None) -> Decimal | None:
    return None if said is None else Decimal(str(said))
