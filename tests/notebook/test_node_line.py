"""What stands behind `%%node`."""

from __future__ import annotations

import re

import pytest

from agentflow_dagster.notebook import NodeLine, describe_node_line, parse_node_line
from agentflow_dagster.notebook.node_line import node_options


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("load", NodeLine("load")),
        ("  load_2  # first", NodeLine("load_2")),
        ("load --timeout 1h30m", NodeLine("load", timeout="1h30m")),
        ("--retry 3 load", NodeLine("load", attempts=3)),
        ("load --memory=512Mi --retry=20", NodeLine("load", attempts=20, memory="512Mi")),
        ("a --kind ai.chat --model gpt-4o", NodeLine("a", "ai.chat", model="gpt-4o")),
        ("a --after b,c.other --join any", NodeLine("a", after=("b", "c.other"), join="any")),
        ("a --when '{{x > 1}}' --on-error b", NodeLine("a", when="{{x > 1}}", on_error="b")),
        ("a --in x={{input.y}} --in z=1", NodeLine("a", inputs={"x": "{{input.y}}", "z": "1"})),
        ("a --out x,y", NodeLine("a", outputs=("x", "y"))),
        ("a --set llm.temperature=0.2", NodeLine("a", fields={"llm.temperature": 0.2})),
        ("a --set 'retry={delay: 2s}'", NodeLine("a", fields={"retry": {"delay": "2s"}})),
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
        ("a --kind chat", "'chat' is not a kind; kinds are ai.…, tool.…"),
        ("a --after B", "'B' is no node; write NODE, or NODE.PORT"),
        ("a --in x", "'x' gives no name a value; write NAME={{…}}"),
        ("a --out 'x y'", "'x y' is no name of Python"),
        ("a --set x", "'x' sets no field; write FIELD=VALUE"),
        ("a --set 'x=[1'", "'[1' is not YAML: "),
    ],
)
def test_what_cannot_be_understood(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_node_line(text)


def test_the_description_names_every_option() -> None:
    text = describe_node_line()
    assert text.startswith("usage: %%node NAME [--kind KIND] [options]\n")
    for option in ("NAME", "--kind", "--timeout", "--retry", "--memory", "--set", "--help"):
        assert option in text
    assert set(node_options()) >= {"--kind", "--after", "--on-error"}


def test_what_a_line_says_of_a_node() -> None:
    line = parse_node_line(
        "a --kind ai.chat --model m --retry 2 --timeout 1m --memory 1Gi --after b --when '{{true}}'"
        " --on-error c --set retry.delay=2s --set description=Answers"
    )
    assert line.entry({"prompt": "Hi"}) == {
        "kind": "ai.chat",
        "with": {"prompt": "Hi"},
        "after": ["b"],
        "when": "{{true}}",
        "onError": {"to": "c"},
        "retry": {"maxAttempts": 2, "delay": "2s"},
        "timeout": "1m",
        "llm": {"model": "m"},
        "resources": {"memory": "1Gi"},
        "description": "Answers",
    }
