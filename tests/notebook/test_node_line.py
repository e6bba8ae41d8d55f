"""What stands behind `%%node`."""

from __future__ import annotations

import re

import pytest

from agentflow_dagster.notebook import NodeLine, describe_node_line, parse_node_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("load", NodeLine("load")),
        ("  load_2  # first", NodeLine("load_2")),
        ("load --timeout 1h30m", NodeLine("load", timeout="1h30m")),
        ("--retry 3 load", NodeLine("load", attempts=3)),
        ("load --memory=512Mi --retry=20", NodeLine("load", attempts=20, memory="512Mi")),
    ],
)
def test_options(text: str, expected: NodeLine) -> None:
    assert parse_node_line(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "required: NAME"),
        ("Load", "'Load' is not a node name"),
        ("a-b", "'a-b' is not a node name"),
        ("2a", "'2a' is not a node name"),
        ("a" * 64, "is not a node name"),
        ("a b", "unrecognized arguments: b"),
        ("a --time 3s", "unrecognized arguments: --time 3s"),
        ("a --timeout", "expected one argument"),
        ("a --timeout 30", "'30' is not a duration"),
        ("a --retry 0", "'0' is not a whole number from 1 to 20"),
        ("a --retry two", "'two' is not a whole number"),
        ("a --memory 1T", "'1T' is not a quantity"),
        ("a 'b", "No closing quotation"),
    ],
)
def test_what_cannot_be_understood(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_node_line(text)


def test_the_description_names_every_option() -> None:
    text = describe_node_line()
    assert text.startswith("usage: %%node NAME [--timeout 30s] [--retry 3] [--memory 512Mi]\n")
    for option in ("NAME", "--timeout", "--retry", "--memory", "--help"):
        assert option in text
