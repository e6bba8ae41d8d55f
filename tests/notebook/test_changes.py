"""Changes in place that only the text of all cells together shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.notebook.conftest import Read

SETUP = "---setup\ndef clean(rows):\n    rows.sort()\n    return len(rows)\n"


class TestByNode:
    def test_a_function_that_changes_what_it_is_given(self, read: Read) -> None:
        result = read(
            f"{SETUP}---node:a\nxs = [2, 1]\n---node:b\nn = clean(xs)\n---node:c\ny = xs + [n]"
        )
        diagnostic = result.only("AF616")
        assert diagnostic.severity == "error"
        assert "node 'b' (cell 3) changes 'xs' in place" in diagnostic.message
        assert "node 'c' (cell 4) would not see it" in diagnostic.message
        assert (diagnostic.cell, diagnostic.line) == (2, 1)

    def test_nobody_else_reads_it(self, read: Read) -> None:
        result = read(f"{SETUP}---node:a\nxs = [2, 1]\n---node:b\nn = clean(xs)")
        assert result.diagnostics == ()

    def test_another_name_for_the_same_thing(self, read: Read) -> None:
        result = read(
            "---node:a\nconfig = {'limits': {'n': 1}}\nlimits = config['limits']\n"
            "---node:b\nlimits['n'] = 2\nm = 1\n---node:c\ny = config['limits']['n'] + m"
        )
        diagnostic = result.only("AF616")
        assert "node 'b' (cell 2) changes 'limits' in place" in diagnostic.message
        assert "node 'c' (cell 3) would not see it" in diagnostic.message

    def test_what_functions_keep_for_themselves_is_warned_of_where_another_node_sees_it(
        self, read: Read
    ) -> None:
        setup = "---setup\nseen = {}\ndef once(x):\n    seen[x] = 1\n    return len(seen)\n"
        assert read(f"{setup}---node:a\nx = once(1)").diagnostics == ()
        both = read(f"{setup}---node:a\nx = once(1)\n---node:b\ny = once(2)")
        assert {(d.code, d.severity) for d in both.diagnostics} == {("AF616", "warning")}
        assert both.document is not None

    def test_a_copy_is_no_change(self, read: Read) -> None:
        nodes = "---node:a\nxs = [2, 1]\n---node:b\nn = clean([*xs])\n---node:c\ny = xs + [n]"
        assert read(SETUP + nodes).diagnostics == ()


class TestByExploration:
    def test_a_function_that_changes_what_it_is_given(self, read: Read) -> None:
        result = read(f"{SETUP}---node:a\nxs = [2, 1]\n---\nclean(xs)\n---node:b\ny = xs[0]")
        assert "changes 'xs' between node 'a'" in result.only("AF623").message


class TestNamesThatAreNotWritten:
    def test_what_globals_is_asked_for_is_taken(self, read: Read) -> None:
        result = read("---node:a\nx = 1\n---node:b\ny = globals()['x']")
        assert [d.code for d in result.diagnostics] == ["AF618"]
        assert result.document is not None
        assert "{{a.output.x}}" in str(result.document)


def test_what_a_nodes_line_gives_it_is_of_no_other_cell(read: Read) -> None:
    first, last = "---node:a\nxs = [2, 1]", "---node:c\ny = xs"
    line = "%%node b --in xs={{a.output.xs}}"
    assert "AF616" in read(f"{first}\n---\n%%node b\nxs.sort()\nn = 1\n{last}").codes
    given = read(f"{first}\n---\n{line}\nxs.sort()\nn = 1\n{last}")
    assert given.codes == [], [str(d) for d in given.diagnostics]
