"""Models that a test has scripted, by the name that documents call them: `test/NAME`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.errors import ModelError

if TYPE_CHECKING:
    from agentflow_dagster.ports.model import Model

_MODELS: dict[str, Model] = {}


def use_scripted(name: str, model: Model | None) -> None:
    """Has a model answer as `test/NAME` in this process; None takes it away."""
    if model is None:
        _MODELS.pop(name, None)
    else:
        _MODELS[name] = model


def scripted_model(name: str) -> Model:
    """The model that was scripted under a name.

    Raises:
        ModelError: there is none.
    """
    if name not in _MODELS:
        raise ModelError(
            f"No model test/{name} is scripted in this process.",
            model=name,
            provider="test",
            retryable=False,
            hint="Script one with agentflow_dagster.testing.use_scripted, or name a real model.",
        )
    return _MODELS[name]
