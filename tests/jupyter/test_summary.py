"""What summaries say of values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from agentflow_dagster.jupyter.summary import Made, NodeSummary, Read, describe
from agentflow_dagster.jupyter.summary_html import as_html

TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        ("EUR", "'EUR'"),
        ("x" * 1000, "str of 1,000"),
        ([1, 2], "list of 2"),
        ({"a": 1}, "dict of 1"),
        (b"abc", "bytes of 3"),
        (pd.DataFrame({"a": range(1200), "b": 0}), f"DataFrame 1,200 {TIMES} 2"),
        (np.zeros((2, 3, 4)), f"ndarray 2 {TIMES} 3 {TIMES} 4"),
        (np.float64(1.5), "np.float64(1.5)"),
        (object(), "object"),
    ],
)
def test_values_in_a_few_words(value: object, expected: str) -> None:
    assert describe(value) == expected


def test_text_and_html() -> None:
    summary = NodeSummary(
        "check",
        1.25,
        (Read("lines", "load"), Read("rate", None)),
        (Made("n", "3"), Made("client", "Client", "client is a Client, which cannot pass")),
        ("a <b> c",),
    )
    assert summary.as_text().splitlines() == [
        "node check: 1.2 s",
        "  reads lines (from load), rate",
        "  makes n (3), client (Client, stays in this node)",
        "  warning: a <b> c",
    ]
    html = as_html(summary)
    assert "a &lt;b&gt; c" in html
    assert 'title="client is a Client, which cannot pass"' in html


def test_many_names_are_cut() -> None:
    makes = tuple(Made(f"n{i}", "1") for i in range(20))
    assert "and 12 more" in as_html(NodeSummary("a", 0.1, (), makes))
