from __future__ import annotations

import pytest

from agentflow_dagster.models.extractive.task import Task, read_task
from agentflow_dagster.ports.model import Message

TICKET = "My screen: it stays black.\n\nI tried twice."


def ask(prompt: str, *, system: str = "", structured: bool = False) -> Task:
    told = (Message("system", system),) if system else ()
    return read_task((*told, Message("user", prompt)), structured=structured)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Reply to: hello there", Task("Reply to", "hello there")),
        (f"Write a reply to this ticket: {TICKET}", Task("Write a reply to this ticket", TICKET)),
        (
            f"You help. Please summarise this:\n{TICKET}",
            Task("You help. Please summarise this", TICKET),
        ),
        (f"Summarise the text.\n\n{TICKET}", Task("Summarise the text.", TICKET)),
        (f"{TICKET}\n\nWhat is broken?", Task("What is broken?", TICKET)),
        ("Translate ```\nguten Tag\n``` now", Task("Translate now", "guten Tag")),
        ("Sum up <doc>All is well.</doc>", Task("Sum up", "All is well.")),
        ("What is the capital of France?", Task("What is the capital of France?")),
        ("My screen: black", Task(text="My screen: black")),
        ("Daily summary", Task(text="Daily summary")),
        ("", Task(text="")),
        (
            "Answer.\nContext:\nPort 80.\n\nBananas are yellow.\nQuestion: which port?",
            Task("Answer.", "which port?", ("Port 80.", "Bananas are yellow.")),
        ),
        ("Instructions: be brief\nTicket: it broke", Task("be brief", "it broke")),
    ],
)
def test_one_prompt(prompt: str, expected: Task):
    assert ask(prompt) == expected


def test_a_system_message_is_the_request_and_the_user_message_the_text():
    assert ask("It broke.", system="You are polite.") == Task("You are polite.", "It broke.")


def test_what_the_system_message_knows_becomes_passages():
    task = ask("When?", system="You help people. Refunds take five days.\n\nWe open at nine.")
    assert task == Task(
        "You help people.", "When?", ("Refunds take five days.", "We open at nine.")
    )


def test_a_text_to_classify_is_never_cut():
    prompt = "Write a reply to this ticket: hello"
    assert ask(prompt, system="Classify the text.", structured=True).text == prompt


def test_earlier_turns_can_be_answered_from():
    turns = (
        Message("user", "Port 80 is used."),
        Message("assistant", "Noted."),
        Message("user", "Which port?"),
    )
    assert read_task(turns, structured=False).passages == ("Port 80 is used.", "Noted.")
