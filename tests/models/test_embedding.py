from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from agentflow_dagster.models import SentenceModel
from agentflow_dagster.models.embedding import DIMENSIONS, PACKAGED

TEXTS = ["How do I resume a download?", "", "The invoice is wrong. " * 200, "naïve café ☕"]


def test_rows_have_unit_length(sentence_model: SentenceModel):
    vectors = sentence_model.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), DIMENSIONS)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_no_texts_give_no_rows(sentence_model: SentenceModel):
    assert sentence_model.embed([]).shape == (0, DIMENSIONS)


def test_a_text_has_the_same_vector_whatever_stands_beside_it(sentence_model: SentenceModel):
    together = sentence_model.embed(TEXTS)
    alone = np.vstack([sentence_model.embed([text]) for text in TEXTS])
    assert np.array_equal(together, alone)


def test_threads_that_load_it_at_once_agree():
    shared = SentenceModel()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(shared.embed, [TEXTS[:1]] * 16))
    assert all(np.array_equal(result, results[0]) for result in results)


def test_near_in_meaning_is_near(sentence_model: SentenceModel):
    question, near, far = sentence_model.embed(
        ["How do I get my money back?", "Refunds are paid within five days.", "It rains in Oslo."]
    )
    assert question @ near > question @ far + 0.2


def test_counts_every_token_of_a_long_text(sentence_model: SentenceModel):
    assert sentence_model.count_tokens("hello " * 1000) == 1000
    assert sentence_model.count_tokens("") == 0


def test_first_tokens_cut_between_words(sentence_model: SentenceModel):
    text = "Unbelievable internationalisation, truly"
    for limit in range(sentence_model.count_tokens(text) + 2):
        cut = sentence_model.first_tokens(text, limit)
        assert text.startswith(cut)
        assert sentence_model.count_tokens(cut) <= limit
        assert cut.split() == text.split()[: len(cut.split())] or cut.endswith(
            "internationalisation"
        )


def test_model_carries_its_licence():
    assert "Apache License" in (PACKAGED / "NOTICE").read_text(encoding="utf-8")


def test_importing_the_room_loads_nothing_heavy():
    heavy = "numpy onnxruntime tokenizers litellm openai jsonschema httpx"
    code = "import sys, agentflow_dagster.models; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(result.stdout.split()) & set(heavy.split())
