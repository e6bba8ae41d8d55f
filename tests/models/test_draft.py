from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from agentflow_dagster.models.extractive.draft import draft
from agentflow_dagster.models.extractive.task import Task

if TYPE_CHECKING:
    from agentflow_dagster.models import SentenceModel

TICKETS = Path(__file__).parents[2] / "notebooks" / "data" / "tickets.jsonl"
SERVER = "The server listens on port 80. It restarts at night. Bananas are yellow."


def test_every_ticket_has_a_reply_of_its_own(sentence_model: SentenceModel):
    bodies = [json.loads(line)["body"] for line in TICKETS.read_text(encoding="utf-8").splitlines()]
    replies = [draft(Task("Write a reply", body), model=sentence_model) for body in bodies[:20]]
    assert len(set(replies)) == len(replies)
    for body, text in zip(bodies, replies, strict=False):
        assert text.startswith("Thank you")
        assert text != body


def test_a_reply_answers_from_what_is_known(sentence_model: SentenceModel):
    known = ("Refunds are paid within five days.", "The office is in Bremen.")
    task = Task("Write a reply", "I was charged twice, when do I get my money back?", known)
    text = draft(task, model=sentence_model)
    assert "charged twice" in text
    assert "within five days" in text
    assert "Bremen" not in text


def test_a_reply_does_not_answer_from_what_is_beside_the_point(sentence_model: SentenceModel):
    task = Task("Write a reply", "The printer is out of paper.", ("The office is in Bremen.",))
    assert "Bremen" not in draft(task, model=sentence_model)


def test_a_question_about_a_text_is_answered_by_its_sentence(sentence_model: SentenceModel):
    task = Task("Which port does it use?", SERVER)
    assert draft(task, model=sentence_model) == "The server listens on port 80."


def test_a_question_is_answered_by_the_passage_for_it(sentence_model: SentenceModel):
    task = Task("", "What colour are bananas?", ("Port 80 is used.", "Bananas are yellow."))
    assert draft(task, model=sentence_model) == "Bananas are yellow."


def test_a_summary_has_as_many_sentences_as_asked(sentence_model: SentenceModel):
    two = draft(Task("Summarise in two sentences", SERVER), model=sentence_model)
    assert two.count(".") == 2
    assert all(part.strip(" .") in SERVER for part in two.split(". "))


def test_it_says_so_where_it_has_nothing_to_answer_from(sentence_model: SentenceModel):
    for task in (Task("What is the capital of France?"), Task(text="Daily summary"), Task()):
        text = draft(task, model=sentence_model)
        assert "only from text that it is given" in text
    unanswered = draft(Task("", "Who won?", ("Port 80 is used.",)), model=sentence_model)
    assert "None of the given passages" in unanswered
