"""Rules by which what is shown is redacted, and who tries to get around them."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentflow_dagster.engine.heard import RedactedListener
from agentflow_dagster.engine.redaction import Redactor
from agentflow_dagster.engine.redaction_rules import BUILT_IN, LONGEST_SHOWN, Rule, Rules
from agentflow_dagster.spec.values import TABLE, Part, Value

ALL = Rules(tuple(Rule(name) for name in BUILT_IN))
OWN = Rules((Rule("case", r"CASE-\d+"),))
FOUND = [
    ("email", "joe.doe+x@mail.example.com"),
    ("email", "ünï@exämple.de"),
    ("email", "joe%40example.com"),
    ("card", "4111 1111 1111 1111"),
    ("card", "4111-1111-1111-1111"),
    ("card", "378282246310005"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432"),
    ("phone", "+49 30 1234567"),
    ("phone", "(030) 123-4567"),
    ("phone", "555-123-4567"),
    ("ipv4", "10.1.2.3"),
]
LEFT = [
    "2026-11-22 03:20:39",
    "1700000000",
    "0.7310585786300049",
    "4111111111111112",
    "v1.2.3.4.5",
    "12345678-1234-1234-1234-123456789012",
    "a@b",
    "f(x) = 1 + 2",
]


@pytest.mark.parametrize(("name", "text"), FOUND)
@pytest.mark.parametrize("around", ["{}", "It is {}, ok", "x\n{}\ny", '{{"a": "{}"}}', "[{}]"])
def test_what_is_found(name: str, text: str, around: str) -> None:
    assert ALL.text(around.format(text)) == around.format(f"[{name}]")


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_alike_is_left(text: str) -> None:
    assert ALL.text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("order 7 4111 1111 1111 1111", "order 7 [card]"),
        ("100 200 4111111111111111 301", "100 200 [card] 301"),
        ("AB12 DE89 3704 0044 0532 0130 00 xx", "AB12 [iban] xx"),
        ("Card.4111111111111111", "Card.[card]"),
    ],
)
def test_what_stands_before_or_after_hides_nothing(text: str, shown: str) -> None:
    assert ALL.text(text) == shown


def test_json_within_json_and_escapes_hide_nothing() -> None:
    inner: object = {"mail": "joe@example.com"}
    for _ in range(4):
        text = json.dumps(inner)
        assert "joe" not in ALL.text(text)
        assert "joe" not in ALL.text(text.replace("@", "\\u0040"))
        inner = {"again": text}
    assert "joe" not in ALL.text("joe\\\\\\u0040example.com")


def test_keys_numbers_and_what_is_known_of_tables() -> None:
    table = Part(TABLE, b"joe@example.com", {"columns": ["joe@example.com"], "rows": 3})
    shown = ALL.value(
        {"joe@example.com": [4111111111111111, 1.5, True, None, float("nan")], "t": table}
    )
    told = str(shown)
    assert "joe" not in told
    assert "4111" not in told
    assert isinstance(shown, dict)
    assert str(shown["[email]"]) == "['[card]', 1.5, True, None, nan]"
    assert isinstance(part := shown["t"], Part)
    assert part.data == b""


def test_a_rule_of_ones_own_reads_a_text_once() -> None:
    """A backtracking engine would need longer than the universe has."""
    assert OWN.text("See CASE-12 and CASE-345.") == "See [case] and [case]."
    assert Rules((Rule("hostile", r"(a+)+b"),)).text("a" * 50_000) == "a" * 50_000
    assert Rules((Rule("one", r"\\1?x"),)).text("a\\1x") == "a[one]"


@pytest.mark.parametrize(
    "text",
    ["111 ", "DE89 ", "+1", "a%40", "a@", "(11)", "00", "\\", "a.", "1.", "\\u0", "DE", "1-"],
)
def test_no_text_takes_long(text: str) -> None:
    """Held by the test's limit of time: quadratic work on as much as is looked at passes it."""
    ALL.text(text * (LONGEST_SHOWN // len(text)))


def test_of_a_long_text_the_beginning_is_shown() -> None:
    shown = ALL.text("x" * LONGEST_SHOWN + " joe@example.com")
    assert shown.endswith("… (16 more characters)")


@pytest.mark.parametrize(
    ("name", "pattern", "told"),
    [
        ("a", "(a+", r"missing \)"),
        ("a", "(?=x)", "invalid perl operator"),
        ("a", "x{2000}", "invalid repetition size"),
        ("a", "a*", "matches where nothing stands"),
        ("a", "a" * 1_001, "at most 1,000 characters"),
        ("pasport", "", "there is no built-in rule 'pasport': write card"),
    ],
)
def test_a_bad_rule_says_why(name: str, pattern: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Rule(name, pattern)


def test_no_field_is_lost_where_names_are_shown_alike() -> None:
    told: Value = {"joe@example.com": 1, "jane@example.com": 2, "[email] (2)": 3}
    assert ALL.value(told) == {"[email]": 1, "[email] (2)": 2, "[email] (2) (2)": 3}
    redactor = Redactor(("secret-of-mine", "another-secret"))
    assert redactor.value({"secret-of-mine": 1, "another-secret": 2}) == {"***": 1, "*** (2)": 2}
    shown = ALL.value({f"{number}@example.com": number for number in range(3_000)})
    assert isinstance(shown, dict)
    assert len(shown) == 3_000


def test_secrets_and_rules_are_one_mechanism() -> None:
    redactor = Redactor(("secret-of-mine",), ALL)
    text = "secret-of-mine for joe@example.com"
    assert redactor.text(text) == "*** for joe@example.com"
    assert redactor.shown(text) == "*** for [email]"
    assert redactor.shown_value({"a": [text]}) == {"a": ["*** for [email]"]}


class Ear:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard = ""

    def text(self, piece: str) -> None:
        self.heard += piece

    def again(self) -> None:
        self.heard = ""


REPLY = (
    "Dear Joe, your card 4111 1111 1111 1111 was charged. "
    "We wrote to joe.doe@mail.example.com, and called +49 30 1234567. " * 3
)


@given(st.sets(st.integers(1, len(REPLY) - 1), max_size=40))
def test_what_comes_in_pieces_is_never_heard_in_clear(cuts: set[int]) -> None:
    ear = Ear()
    redactor = Redactor(("was charged",), ALL)
    listener = RedactedListener(ear, redactor)
    for start, end in pairwise([0, *sorted(cuts), len(REPLY)]):
        listener.text(REPLY[start:end])
        assert redactor.shown(REPLY).startswith(ear.heard)
    listener.end()
    assert ear.heard == redactor.shown(REPLY)


def test_one_long_find_takes_few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    look, looks = Redactor.shown, list[int]()

    def counted(self: Redactor, text: str) -> str:
        looks.append(len(text))
        return look(self, text)

    monkeypatch.setattr(Redactor, "shown", counted)
    ear = Ear()
    listener = RedactedListener(ear, Redactor((), Rules((Rule("run", "a+"),))))
    for _ in range(100):
        listener.text("a" * 40)
    listener.end()
    assert ear.heard == "[run]"
    assert len(looks) < 100 * 3 * 10


def test_a_reply_that_begins_again_leaves_nothing_of_the_first() -> None:
    ear = Ear()
    listener = RedactedListener(ear, Redactor((), ALL))
    listener.text("joe@exam")
    listener.again()
    listener.text("Well.")
    listener.end()
    assert ear.heard == "Well."
