"""One loaded sentence model for the whole session: it holds no state but its files."""

from __future__ import annotations

import pytest

from agentflow_dagster.models import OfflineModel, SentenceModel


@pytest.fixture(scope="session")
def sentence_model() -> SentenceModel:
    return SentenceModel()


@pytest.fixture(scope="session")
def offline(sentence_model: SentenceModel) -> OfflineModel:
    return OfflineModel(sentence_model)
