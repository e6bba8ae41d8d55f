"""What a document asks of whoever runs it: memory and cores, counted limits, a choice of models."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from agentflow_dagster.spec.element import Element
from agentflow_dagster.spec.units import Cores, Quantity

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=64)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=255)]

_PREFIXES = {"local": "ollama"}
"""Names of providers in workflows that LiteLLM has another word for."""


class Resources(Element):
    """What a step may take of the machine, as Kubernetes quantities."""

    memory: Quantity | None = Field(default=None, description="Most memory, such as `512Mi`.")
    cpu: Cores | None = Field(default=None, description="Cores: `200m` is a fifth of one.")
    storage: Quantity | None = Field(default=None, description="Most temporary storage.")


class Limits(Element):
    """How often a step may do what costs or leaves the machine."""

    llm_calls: int | None = Field(default=None, ge=0, description="Most calls of a model.")
    network_requests: int | None = Field(default=None, ge=0, description="Most requests.")
    file_operations: int | None = Field(default=None, ge=0, description="Most file operations.")


class Needs(Element):
    """What a call needs of the model that answers; `llmRouting` chooses by it.

    Each is a condition by the same name there. What is not said is estimated (complexity), or
    ordinary.
    """

    complexity: Literal["low", "medium", "high"] | None = Field(
        default=None, description="How hard the task is; estimated from the call if not said."
    )
    accuracy: Literal["normal", "critical"] | None = Field(
        default=None, description="`critical`: a wrong answer does harm."
    )
    cost: Literal["normal", "priority", "minimal"] | None = Field(
        default=None, description="How much it matters that the answer is cheap."
    )
    data_sensitivity: Literal["normal", "high"] | None = Field(
        default=None, description="`high`: only a local model may see what the call says."
    )

    @classmethod
    def words(cls) -> dict[str, tuple[str, ...]]:
        """The words of each need, by its name as conditions write it (and in camelCase)."""
        found: dict[str, tuple[str, ...]] = {}
        for name, field in cls.model_fields.items():
            (said,) = (part for part in get_args(field.annotation) if part is not type(None))
            found[name] = found[field.alias or name] = get_args(said)
        return found


class Fallback(Element):
    """One model of a routing, and when it is meant."""

    provider: Word
    model: ModelName
    conditions: tuple[Annotated[dict[Word, Word], Field(min_length=1, max_length=1)], ...] = ()

    @property
    def litellm_model(self) -> str:
        """Its name as LiteLLM writes it."""
        return litellm_model(self.provider, self.model)


class LLMRouting(Element):
    """Which model is taken for which work, cheapest or best first."""

    strategy: Literal["cost-optimized", "latency", "quality", "fixed"] = "cost-optimized"
    fallbacks: tuple[Fallback, ...] = Field(default=(), description="In the order of preference.")


def litellm_model(provider: str | None, model: str) -> str:
    """`provider/model` as LiteLLM writes it; `local` means Ollama."""
    prefix = _PREFIXES.get(provider, provider) if provider else None
    if not prefix or model.startswith(f"{prefix}/"):
        return model
    return f"{prefix}/{model}"
