from __future__ import annotations

import pytest

from agentflow_dagster.models.extractive.sentences import MAX_SENTENCES, opening, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   \n\n ", []),
        ("One line", ["One line"]),
        ("It broke. Why? Tell me!", ["It broke.", "Why?", "Tell me!"]),
        ("Use a flag, e.g. Verbose, for it. Done.", ["Use a flag, e.g. Verbose, for it.", "Done."]),
        ("Version 3.14 is out. Get it.", ["Version 3.14 is out.", "Get it."]),
        ("wrapped\nline here.\n\nNext", ["wrapped line here.", "Next"]),
        ("- first thing\n- second thing", ["first thing", "second thing"]),
        ("1. open it\n2. close it", ["open it", "close it"]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("*** --- ***", []),
    ],
)
def test_sentences(text: str, expected: list[str]):
    assert sentences(text) == expected


def test_a_very_long_text_is_bounded():
    assert len(sentences("A word. " * 5000)) == MAX_SENTENCES


def test_opening_is_five_words():
    assert opening("How do I tell curl to resume?") == "How do I tell curl"
