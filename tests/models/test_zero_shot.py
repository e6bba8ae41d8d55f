from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.models.extractive.zero_shot import Label, classify, nearness

if TYPE_CHECKING:
    from agentflow_dagster.models import SentenceModel

LABELS = (
    Label("bug", "something is broken"),
    Label("howto", "how to use it"),
    Label("billing", "money"),
)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The app crashes when I open the settings", "bug"),
        ("I was charged twice this month", "billing"),
        ("How do I export my data?", "howto"),
    ],
)
def test_plain_cases(text: str, label: str, sentence_model: SentenceModel):
    verdict = classify(text, LABELS, model=sentence_model)
    assert LABELS[verdict.best].name == label


def test_confidences_are_shares(sentence_model: SentenceModel):
    verdict = classify("It rains.", LABELS, model=sentence_model)
    assert sum(verdict.confidences) == pytest.approx(1.0)
    assert verdict.confidence == max(verdict.confidences)


def test_order_of_labels_does_not_matter(sentence_model: SentenceModel):
    there = classify("I was charged twice", LABELS, model=sentence_model)
    back = classify("I was charged twice", LABELS[::-1], model=sentence_model)
    assert there.scores == pytest.approx(back.scores[::-1])


def test_a_description_decides_where_the_name_says_nothing(sentence_model: SentenceModel):
    labels = (Label("A", "payment and invoices"), Label("B", "crashes and errors"))
    swapped = (Label("A", "crashes and errors"), Label("B", "payment and invoices"))
    assert classify("My invoice is wrong", labels, model=sentence_model).best == 0
    assert classify("My invoice is wrong", swapped, model=sentence_model).best == 1


def test_one_label_and_equal_labels(sentence_model: SentenceModel):
    assert classify("x", (Label("only"),), model=sentence_model).confidence == 1.0
    twins = classify("x", (Label("same"), Label("same")), model=sentence_model)
    assert twins.best == 0
    assert twins.confidences == pytest.approx((0.5, 0.5))


def test_nearness_stays_between_its_ends(sentence_model: SentenceModel):
    near = nearness("I want my money back", "the customer wants a refund", model=sentence_model)
    far = nearness("It rains in Oslo", "the customer wants a refund", model=sentence_model)
    assert 0.0 <= far < 0.5 < near <= 1.0
