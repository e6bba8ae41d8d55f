"""Which node takes which name from which, and what does not fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from agentflow_dagster.notebook.problems import CODES

if TYPE_CHECKING:
    from tests.notebook.conftest import Read, Reading


def inputs(reading: Reading) -> dict[str, dict[str, str]]:
    assert reading.document is not None, [str(d) for d in reading.diagnostics]
    nodes = cast("Any", reading.document)["spec"]["nodes"]
    return {name: node["with"].get("inputs", {}) for name, node in nodes.items()}


def outputs(reading: Reading) -> dict[str, list[str]]:
    assert reading.document is not None, [str(d) for d in reading.diagnostics]
    nodes = cast("Any", reading.document)["spec"]["nodes"]
    return {name: node["with"]["outputs"] for name, node in nodes.items()}


class TestWires:
    def test_order_plays_no_part(self, read: Read) -> None:
        forward = read("---node:a\nx = 1\n---node:b\ny = x")
        backward = read("---node:b\ny = x\n---node:a\nx = 1")
        assert inputs(forward) == inputs(backward) == {"a": {}, "b": {"x": "{{a.output.x}}"}}

    def test_names_that_no_other_node_reads_stay_inside(self, read: Read) -> None:
        result = read("---node:a\nx = 1\nunused = 2\n---node:b\ny = x\n_scratch = 1")
        assert outputs(result) == {"a": ["x"], "b": ["y"]}

    def test_a_final_node_gives_its_public_values(self, read: Read) -> None:
        result = read(
            "---node:a\nimport math\nclass C: pass\ndef f(): pass\ng = lambda: 1\n"
            "LIMIT = 3\n_x = 1\nx, (y, z) = 1, (2, 3)\nn: int = 1\nn += 1\n"
            "for i in range(3): last = i\nwith open('f') as file: pass\n"
            "if (found := 1): pass\ndeleted = 1\ndel deleted"
        )
        assert outputs(result) == {"a": ["x", "y", "z", "n", "last", "found"]}

    def test_loop_variables_of_two_nodes_do_not_clash(self, read: Read) -> None:
        result = read(
            "---node:a\nxs = [1]\nfor i in xs: row = i\n"
            "---node:b\nfor i in xs: row = i\nprint(i, row)"
        )
        assert outputs(result) == {"a": ["xs"], "b": ["row"]}

    def test_a_node_may_take_a_name_and_make_it_anew(self, read: Read) -> None:
        result = read("---node:a\nn = 1\n---node:b\nn = n + 1\nm = n")
        assert inputs(result)["b"] == {"n": "{{a.output.n}}"}
        assert outputs(result)["b"] == ["n", "m"]

    def test_what_a_function_reads_when_called_is_taken(self, read: Read) -> None:
        result = read("---node:a\nx = 1\n---node:b\ndef f(): return x\ny = f()")
        assert inputs(result)["b"] == {"x": "{{a.output.x}}"}

    def test_repeated_imports_are_no_values(self, read: Read) -> None:
        result = read(
            "---setup\nimport math\n---node:a\nimport math\nx = math.pi\n---node:b\ny = math.e + x"
        )
        assert inputs(result) == {"a": {}, "b": {"x": "{{a.output.x}}"}}

    def test_a_name_that_hides_a_builtin_is_taken(self, read: Read) -> None:
        result = read("---node:a\nfilter = 'x'\n---node:b\ny = filter")
        assert inputs(result)["b"] == {"filter": "{{a.output.filter}}"}

    def test_a_word_that_expressions_reserve_may_be_a_name(self, read: Read) -> None:
        result = read("---node:a\nvar = 1\n---node:b\ny = var")
        assert inputs(result)["b"] == {"var": "{{a.output.var}}"}

    def test_cells_that_do_not_ship_are_left_out(self, read: Read) -> None:
        result = read(
            "---node:a\nx = 1\n---\n!ls\nx\n%matplotlib inline\nx?\n---test\nassert x == 1\n"
            "---injected-parameters\nx = 99"
        )
        assert result.diagnostics == ()
        assert outputs(result) == {"a": ["x"]}


@pytest.mark.parametrize(
    ("code", "text", "place", "said"),
    [
        ("AF612", "---node:a\nprices = 1\n---node:b\ny = price", (1, 1, 5),
         "node 'b' (cell 2) reads 'price', which no cell makes. Did you mean 'prices'?"),
        ("AF613", "---\nimport json\n---node:a\nx = json.dumps(1)", (1, 1, 5),
         "which the exploration cell (cell 1) makes"),
        ("AF613", "---test\nx = 1\n---node:a\ny = x", (1, 1, 5), "the test cell (cell 1)"),
        ("AF614", "---node:a\nx = 1\n---node:b\nx = 2\n---node:c\ny = x", (1, 1, 1),
         "made by node 'a' (cell 1) and node 'b' (cell 2), and node 'c' (cell 3) reads it"),
        ("AF614", "---parameters\nx = 1\n---node:b\nx = x + 1\n---node:c\ny = x", (1, 1, 1),
         "the parameters cell (cell 1) and node 'b'"),
        ("AF614", "---setup\nx = 1\n---node:b\nx = 2\n---node:c\ny = x", (1, 1, 1),
         "the setup cell (cell 1) and node 'b'"),
        ("AF614", "---setup\ndef f(): pass\n---node:b\ndef f(): pass\n---node:c\ny = f()",
         (1, 1, 1), "'f' is made by"),
        ("AF614", "---node:a\nx = 1\n---node:b\nx = 2", (1, 1, 1),
         "both give it as an output of the agent"),
        ("AF615", "---node:a\ndef f(): return 1\nx = f()\n---node:b\ny = f()", (1, 1, 5),
         "a function that node 'a' (cell 1) defines. Move it to a cell tagged `setup`"),
        ("AF615", "---node:a\nclass C: pass\n---node:b\ny = C()", (1, 1, 5), "a class that"),
        ("AF615", "---node:a\nimport json\n---node:b\ny = json", (1, 1, 5), "an import that"),
        ("AF616", "---node:a\nf = {}\n---node:b\nf['x'] = 1\ny = f\n---node:c\nz = f", (1, 1, 1),
         "which node 'a' (cell 1) makes; node 'c' (cell 3) would not see it. Make a new value"),
        ("AF616", "---setup\nseen = []\n---node:a\nseen.append(1)\nx = 1\n---node:b\ny = seen",
         (1, 1, 1), "which the setup cell (cell 1) makes; node 'b'"),
        ("AF616", "---parameters\nxs = [2, 1]\n---node:a\nxs.sort()\nx = xs\n---node:b\ny = xs",
         (1, 1, 1), "which the parameters cell"),
        ("AF617", "---node:a\nfrom math import *\nx = pi", (0, 1, 1), "from math import *"),
        ("AF619", "---setup\ndef f(): return x\n---node:a\nx = 1\ny = 2", (0, 1, 17),
         "A setup cell reads 'x', which node 'a' (cell 2) makes"),
        ("AF620", "---node:a\npreis_größe = 1\n---node:b\ny = preis_größe", (0, 1, 1),
         "cannot pass from node 'a' (cell 1) to node 'b' (cell 2)"),
        ("AF620", "---node:a\nnull = 1\n---node:b\ny = null", (0, 1, 1), "true, false, null"),
        ("AF621", "---node:a\nx = 1\ndisplay(x)", (0, 2, 1), "exists in notebooks only"),
        ("AF622", "---node:a\nx = 1\n---node:b\nif y:\n    x = 2\nz = x\n---node:c\ny = 1",
         (1, 3, 5), "makes 'x' on some paths only, and node 'a' (cell 1) makes it too"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(
    read: Read, code: str, text: str, place: tuple[int, int, int], said: str
) -> None:
    result = read(text)
    found = [d for d in result.diagnostics if d.code == code]
    assert len(found) == 1, [str(d) for d in result.diagnostics]
    assert said in f"{found[0].message} {found[0].hint}"
    assert (found[0].cell, found[0].line, found[0].column) == place
    assert found[0].severity == "error"
    assert result.document is None


class TestWarnings:
    def test_a_change_in_place_that_nobody_else_could_see(self, read: Read) -> None:
        result = read("---node:a\nf = {}\n---node:b\nf['x'] = 1\ny = f")
        diagnostic = result.only("AF616")
        assert diagnostic.severity == "warning"
        assert "the change stays in this node" in diagnostic.message
        assert result.document is not None

    def test_names_used_where_they_are_not_seen(self, read: Read) -> None:
        diagnostic = read("---node:a\nx = 1\nexec('y = 2')").only("AF618")
        assert (diagnostic.severity, diagnostic.line) == ("warning", 2)

    @pytest.mark.parametrize("line", ["x = x[:2]", "x.append(3)", "def x(): pass"])
    def test_an_exploration_between_two_nodes_that_changes_a_value(
        self, read: Read, line: str
    ) -> None:
        diagnostic = read(f"---node:a\nx = [1]\n---\n{line}\n---node:b\ny = x").only("AF623")
        assert diagnostic.severity == "warning"
        assert "between node 'a' (cell 1) and node 'b' (cell 3)" in diagnostic.message

    def test_an_exploration_after_all_readers_is_no_problem(self, read: Read) -> None:
        assert read("---node:a\nx = [1]\n---node:b\ny = x\n---\nx = x[:2]").diagnostics == ()


class TestNoFollowingErrors:
    """One mistake is told once, not again at everything that rests on it."""

    def test_a_cell_that_cannot_be_read_may_make_any_name(self, read: Read) -> None:
        assert read("---node:a\nx = (\n---node:b\ny = x").codes == ["AF606"]

    def test_so_may_a_star_import(self, read: Read) -> None:
        assert read("---setup\nfrom math import *\n---node:a\nx = pi").codes == ["AF617"]

    def test_a_name_read_twice_is_told_once(self, read: Read) -> None:
        assert read("---node:a\nx = lost + lost\ny = lost").codes == ["AF612"]


def test_every_code_has_a_sentence() -> None:
    assert all(text.endswith((".", ").")) for text in CODES.values())
