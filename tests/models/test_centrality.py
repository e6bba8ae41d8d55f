from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.models.extractive.centrality import central, rank

if TYPE_CHECKING:
    from agentflow_dagster.models import SentenceModel

SERVER = [
    "The server listens on port 80.",
    "The server's port can be changed in its settings.",
    "The server restarts at night.",
    "Bananas are yellow.",
]


def test_the_odd_one_out_is_least_central(sentence_model: SentenceModel):
    assert rank(SERVER, model=sentence_model)[-1][0] == 3


def test_a_question_turns_the_order(sentence_model: SentenceModel):
    ranked = rank(SERVER, model=sentence_model, question="What colour is the fruit?")
    assert ranked[0][0] == 3


def test_repetitions_count_once(sentence_model: SentenceModel):
    ranked = rank([SERVER[0], SERVER[0], SERVER[3]], model=sentence_model)
    assert [index for index, _ in ranked if index in (0, 1)] == [0]


def test_central_sentences_keep_the_order_of_the_text(sentence_model: SentenceModel):
    found = central(SERVER[::-1], count=2, model=sentence_model)
    assert len(found) == 2
    assert [SERVER[::-1].index(s) for s in found] == sorted(SERVER[::-1].index(s) for s in found)


def test_nothing_gives_nothing(sentence_model: SentenceModel):
    assert rank([], model=sentence_model) == []
