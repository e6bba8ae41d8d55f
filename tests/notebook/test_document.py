"""Whole notebooks as agent documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from agentflow_dagster.graph.check import check_agent
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.spec.diagnostics import Position
from agentflow_dagster.spec.document import Agent
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject
    from tests.notebook.conftest import Read

TOTALS = """\
---markdown
# Totals
--- parameters
prices: list[float] = [1.5, 2.5]
rate: float = 0.1  # share of the price
name: str
---
%load_ext agentflow_dagster
--- setup
import math

def rounded(x):
    return math.floor(x * 100) / 100
---
%%node report --timeout 30s --retry 3 --memory 256Mi
label = f"{name}: {total}"
_width = len(label)
for letter in label:
    pass
--- node:add
net = sum(prices)
total = rounded(net * (1 + rate))
"""


def test_a_whole_notebook(read: Read) -> None:
    result = read(TOTALS)
    assert result.diagnostics == ()
    assert result.document == {
        "apiVersion": "agentflow.io/v1",
        "kind": "Agent",
        "metadata": {"name": "total"},
        "spec": {
            "inputs": {
                "type": "object",
                "properties": {
                    "prices": {
                        "type": "array",
                        "items": {"type": "number"},
                        "default": [1.5, 2.5],
                    },
                    "rate": {"type": "number", "default": 0.1, "description": "share of the price"},
                    "name": {"type": "string"},
                },
                "required": ["name"],
            },
            "defaults": {
                "code": {
                    "setup": "import math\n\n"
                    "def rounded(x):\n    return math.floor(x * 100) / 100\n"
                }
            },
            "nodes": {
                "report": {
                    "kind": "code.python",
                    "with": {
                        "code": 'label = f"{name}: {total}"\n_width = len(label)\n'
                        "for letter in label:\n    pass",
                        "inputs": {"name": "{{input.name}}", "total": "{{add.output.total}}"},
                        "outputs": ["label"],
                        "memory": "256Mi",
                    },
                    "timeout": "30s",
                    "retry": {"maxAttempts": 3},
                },
                "add": {
                    "kind": "code.python",
                    "with": {
                        "code": "net = sum(prices)\ntotal = rounded(net * (1 + rate))\n",
                        "inputs": {"prices": "{{input.prices}}", "rate": "{{input.rate}}"},
                        "outputs": ["total"],
                    },
                },
            },
            "outputs": {"label": "{{report.output.label}}"},
        },
    }


def test_the_document_passes_every_check_of_an_agent(read: Read) -> None:
    agent = parse_agent(read(TOTALS).document or {})
    assert isinstance(agent, Agent), agent
    assert check_agent(agent, builtin_kinds()).diagnostics == ()


def test_every_part_has_its_place(read: Read) -> None:
    assert read(TOTALS).positions == {
        "/spec/inputs/properties/prices": Position(1, 1, 1),
        "/spec/inputs/properties/rate": Position(2, 1, 1),
        "/spec/inputs/properties/name": Position(3, 1, 1),
        "/spec/defaults/code/setup": Position(1, 1, 3),
        "/spec/nodes/report": Position(1, 1, 4),
        "/spec/nodes/report/with/code": Position(2, 1, 4),
        "/spec/nodes/report/with/inputs/name": Position(2, 12, 4),
        "/spec/nodes/report/with/inputs/total": Position(2, 20, 4),
        "/spec/nodes/report/with/outputs/0": Position(2, 1, 4),
        "/spec/nodes/add": Position(1, 1, 5),
        "/spec/nodes/add/with/code": Position(1, 1, 5),
        "/spec/nodes/add/with/inputs/prices": Position(1, 11, 5),
        "/spec/nodes/add/with/inputs/rate": Position(2, 28, 5),
        "/spec/nodes/add/with/outputs/0": Position(2, 1, 5),
        "/spec/outputs/label": Position(2, 1, 4),
    }


def test_metadata_of_the_notebook_fills_in_the_rest(read: Read) -> None:
    settings = {
        "name": "totals",
        "description": "Adds up.",
        "labels": {"team": "finance"},
        "icon": "🧮",
        "triggers": {"daily": {"schedule": {"cron": "0 9 * * *"}}},
        "budget": {"perRunUsd": 1},
        "defaults": {"timeout": "1m"},
    }
    document = read("---setup\nimport math\n---node:a\nx = math.pi", settings=settings).document
    assert document is not None
    spec = cast("JsonObject", document["spec"])
    assert document["metadata"] == {
        k: settings[k] for k in ("name", "description", "labels", "icon")
    }
    assert spec["triggers"] == settings["triggers"]
    assert spec["budget"] == settings["budget"]
    assert spec["defaults"] == {"timeout": "1m", "code": {"setup": "import math\n"}}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("invoice_check.ipynb", "invoice_check"),
        ("folder/My Report (2).ipynb", "my-report-2"),
        ("a__b--c.ipynb", "a-b-c"),
    ],
)
def test_the_file_names_an_agent_that_has_no_name(read: Read, file: str, name: str) -> None:
    document = read("---node:a\nx = 1", file=file).document
    assert document is not None
    assert document["metadata"] == {"name": name}


@pytest.mark.parametrize(
    ("settings", "said"),
    [("x", "is no object"), ({"trigers": {}}, "unknown field 'trigers'")],
)
def test_metadata_that_cannot_be_used(read: Read, settings: object, said: str) -> None:
    result = read("---node:a\nx = 1", settings=settings)
    diagnostic = result.only("AF625")
    assert said in diagnostic.message
    assert result.document is None


def test_a_misspelt_field_gets_a_hint(read: Read) -> None:
    result = read("---node:a\nx = 1", settings={"trigers": {}})
    assert result.only("AF625").hint == "Did you mean 'triggers'?"


@pytest.mark.parametrize("source", ["x = f'{{{1}}}'", "x = '{{ }} {{{{'", "x = {'a': {'b': {}}}"])
def test_braces_in_code_are_not_expressions(read: Read, source: str) -> None:
    document = read(f"---node:a\n{source}").document
    code = cast("Any", document)["spec"]["nodes"]["a"]["with"]["code"]
    assert code == source


def test_setup_cells_run_in_order_and_share_what_they_make(read: Read) -> None:
    result = read("---setup\nimport math\n---setup\ndef f(): return math.pi\n---node:a\nx = f()")
    spec = cast("Any", result.document)["spec"]
    assert spec["defaults"]["code"]["setup"] == "import math\n\ndef f(): return math.pi\n"
    assert "inputs" not in spec["nodes"]["a"]["with"]


def test_a_late_future_import(read: Read) -> None:
    result = read(
        "---setup\nimport math\n---setup\nfrom __future__ import annotations\n"
        "---node:a\nx = math.pi"
    )
    diagnostic = result.only("AF606")
    assert "first of them" in diagnostic.hint
    assert diagnostic.cell == 1


def test_a_parameter_that_setup_reads_reaches_every_node(read: Read) -> None:
    result = read(
        "---parameters\nlimit = 10\n---setup\ndef over(x): return x > limit\n"
        "---node:a\nx = over(1)\n---node:b\ny = over(2)\nz = limit"
    )
    nodes = cast("Any", result.document)["spec"]["nodes"]
    assert nodes["a"]["with"]["inputs"] == {"limit": "{{input.limit}}"}
    assert nodes["b"]["with"]["inputs"] == {"limit": "{{input.limit}}"}
    assert result.positions["/spec/nodes/a/with/inputs/limit"] == Position(1, 25, 1)


def test_no_node(read: Read) -> None:
    assert read("---\nx = 1").only("AF624").hint == "Begin a cell with `%%node NAME`."


def test_two_nodes_of_one_name(read: Read) -> None:
    diagnostic = read("---\n%%node a\nx = 1\n---\n\n%%node a\ny = 1").only("AF604")
    assert diagnostic.message == "Cell 1 is the node 'a' already."
    assert (diagnostic.cell, diagnostic.line) == (1, 2)


def test_every_problem_is_told_in_order_of_its_place(read: Read) -> None:
    result = read("---node:a\nx = lost\n---node:b\ny = gone\nz = away")
    assert [(d.code, d.cell, d.line) for d in result.diagnostics] == [
        ("AF612", 0, 1),
        ("AF612", 1, 1),
        ("AF612", 1, 2),
    ]
    assert {d.file for d in result.diagnostics} == {"total.ipynb"}
    assert str(result.diagnostics[1]).startswith("total.ipynb:cell 2:1:5: error AF612: node 'b'")
