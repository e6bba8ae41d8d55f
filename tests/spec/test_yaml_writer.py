"""The YAML view written back: it says the document, and what did not change keeps its bytes."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentflow_dagster.spec.canonical import is_same
from agentflow_dagster.spec.yaml_reader import read_yaml
from agentflow_dagster.spec.yaml_writer import update_yaml, write_yaml
from tests.support.documents import SAMPLE, changed, document, places, sample, without
from tests.support.properties import OBJECTS, VALUES, patiently

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentflow_dagster.spec.values import JsonObject, JsonValue

ODD = (Path(__file__).parent / "odd.yaml").read_text()
JSON = '{\n  "a": 1,\n  "b": {"c": [1, 2], "d": "x"},\n  "e": [\n    "p",\n    "q"\n  ]\n}\n'


def _at(tree: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        tree = tree[step]
    return tree


BASES = {
    "sample": SAMPLE,
    "odd": ODD,
    "json": JSON,
    "windows": SAMPLE.replace("\n", "\r\n"),
    "written": write_yaml(sample()),
}
COMMENTED = """\
# What this file is.
apiVersion: agentflow.io/v1

# Who it is.
metadata:   # names
  name: x  # short
  # Nobody reads this.
  description: 'It''s'

  # labels: {a: b}
spec:
  nodes:
    # The first.
    first: {kind: ai.chat}
    # The second.
    second:
      kind: ai.chat
      with:
        # What it is told.
        system: |
          Be short.
          Be kind.
        prompt: >-
          A paragraph that is folded over two lines so that it can be read in a narrow
          window.
        labels: [a, b]   # two
    # The third.
    third:
      kind: logic.merge
# The end.
"""


def written(text: str, wanted: JsonObject) -> str:
    """The new text, which is checked to say what is wanted."""
    result = update_yaml(text, wanted)
    back = read_yaml(result)
    assert back.diagnostics == ()
    assert back.document is not None
    assert is_same(back.document, wanted)
    assert back.document == wanted
    return result


def edit(path: str, value: JsonValue) -> str:
    return written(COMMENTED, changed(document(COMMENTED), path, value))


def cut(path: str) -> str:
    return written(COMMENTED, without(document(COMMENTED), path))


class TestUnchanged:
    @pytest.mark.parametrize("name", BASES)
    def test_not_a_byte_changes(self, name: str) -> None:
        text = BASES[name]
        assert update_yaml(text, document(text)) == text

    def test_another_order_of_fields_is_no_change(self) -> None:
        """A model puts its fields in an order of its own."""
        turned = dict(reversed(sample().items()))
        assert update_yaml(SAMPLE, turned) == SAMPLE


class TestValues:
    @pytest.mark.parametrize(
        ("path", "value", "old", "new"),
        [
            ("metadata.name", "y", "name: x  # short", "name: y  # short"),
            ("metadata.name", "a: b", "name: x  # short", 'name: "a: b"  # short'),
            ("metadata.name", "on", "name: x  # short", "name: on  # short"),
            ("metadata.name", "12", "name: x  # short", 'name: "12"  # short'),
            ("metadata.name", 12, "name: x  # short", "name: 12  # short"),
            ("metadata.name", None, "name: x  # short", "name: null  # short"),
            ("metadata.name", [1, {}], "name: x  # short", "name:  # short\n    - 1\n    - {}"),
            ("metadata.description", "That's", "'It''s'", "'That''s'"),
            ("metadata.description", "a\nb", "'It''s'", "|-\n    a\n    b"),
            ("spec.nodes.first.kind", "a,b", "{kind: ai.chat}", '{kind: "a,b"}'),
            ("spec.nodes.first.kind", "x\ny", "{kind: ai.chat}", '{kind: "x\\ny"}'),
            (
                "spec.nodes.second.with.system",
                "Be short.\nBe glad.\n",
                "          Be kind.\n",
                "          Be glad.\n",
            ),
            ("spec.nodes.second.with.labels", ["a", "c", "b"], "[a, b]   #", "[a, c, b]   #"),
            ("spec.nodes.second.with.labels", [], "[a, b]   #", "[]   #"),
            ("spec.nodes.second.with.labels", {"a": 1}, "[a, b]   #", "{a: 1}   #"),
            ("spec.nodes.first.kind", ["x"], "{kind: ai.chat}", "{kind: [x]}"),
        ],
    )
    def test_a_changed_value_changes_its_own_text(
        self, path: str, value: JsonValue, old: str, new: str
    ) -> None:
        assert COMMENTED.count(old) == 1
        assert edit(path, value) == COMMENTED.replace(old, new)

    def test_a_folded_paragraph_is_folded_anew(self) -> None:
        told = (
            "A paragraph that is folded over three lines so that it can be read in a narrow window"
            ", or in a wide one."
        )
        found = edit("spec.nodes.second.with.prompt", told)
        assert (
            "        prompt: >-\n"
            "          A paragraph that is folded over three lines so that it can be read in a"
            " narrow window, or\n"
            "          in a wide one.\n"
        ) in found

    def test_quotes_stay_double(self) -> None:
        new = changed(sample(), "spec.triggers.weekdays.input.body", "Other")
        assert written(SAMPLE, new) == SAMPLE.replace('"Daily summary"', '"Other"')

    def test_a_block_that_becomes_a_value_keeps_the_comment_of_its_key(self) -> None:
        assert "\nmetadata: gone   # names\n\n  # labels: {a: b}\nspec:" in edit("metadata", "gone")


class TestFields:
    def test_a_new_field_comes_last_in_the_indentation_of_the_others(self) -> None:
        assert edit("spec.nodes.third.with", {"from": ["first"]}) == COMMENTED.replace(
            "      kind: logic.merge\n",
            "      kind: logic.merge\n      with:\n        from:\n          - first\n",
        )

    def test_a_new_field_goes_above_a_comment_that_was_below(self) -> None:
        found = edit("metadata.icon", "🎫")
        assert found == COMMENTED.replace("'It''s'\n", "'It''s'\n  icon: 🎫\n")

    def test_new_fields_keep_the_order_of_the_document(self) -> None:
        wanted = document(COMMENTED) | {"z": 1, "y": 2}
        assert written(COMMENTED, wanted).endswith("logic.merge\nz: 1\ny: 2\n# The end.\n")

    def test_a_new_field_is_written_like_the_one_before_it(self) -> None:
        found = written(SAMPLE, changed(sample(), "spec.nodes.more", {"kind": "ai.chat"}))
        above = "    done: {kind: logic.merge, join: any, with: {from: [file_bug, draft]}}\n"
        assert found == SAMPLE.replace(above, f"{above}    more: {{kind: ai.chat}}\n")

    def test_a_field_goes_with_its_comments(self) -> None:
        found = cut("spec.nodes.second")
        start, end = COMMENTED.index("    # The second."), COMMENTED.index("    # The third.")
        assert found == COMMENTED[:start] + COMMENTED[end:]

    def test_the_first_field_goes_with_its_comments(self) -> None:
        found = cut("spec.nodes.first")
        start, end = COMMENTED.index("    # The first."), COMMENTED.index("    # The second.")
        assert found == COMMENTED[:start] + COMMENTED[end:]

    def test_the_head_of_a_file_stays(self) -> None:
        found = cut("apiVersion")
        assert found.startswith("# What this file is.\n# Who it is.\nmetadata:   # names\n")

    def test_the_last_field_leaves_none(self) -> None:
        assert "    first: {}\n" in cut("spec.nodes.first.kind")
        assert "    third: {}\n" in cut("spec.nodes.third.kind")

    def test_order_is_kept_where_it_means_something(self) -> None:
        cases: JsonObject = {"two": True, "bug": "{{classify.output.label == 'bug'}}"}
        found = written(SAMPLE, changed(sample(), "spec.nodes.route.with.cases", cases))
        assert "cases: {two: true, bug: \"{{classify.output.label == 'bug'}}\"}" in found

    def test_blocks_are_put_in_order_with_their_comments(self) -> None:
        config = {"labels": ["a", "b"], "system": "Be short.\nBe kind.\n"}
        found = edit("spec.nodes.second.with", config)  # pyright: ignore[reportArgumentType]
        assert (
            "      with:\n"
            "        labels: [a, b]   # two\n"
            "        # What it is told.\n"
            "        system: |\n"
            "          Be short.\n"
            "          Be kind.\n"
            "    # The third.\n"
        ) in found


class TestLists:
    TEXT = "a:\n  - x: 1  # one\n  # About two.\n  - x: 2\n\n  - three\nb: [p,  q, r] # end\n"

    @pytest.mark.parametrize(
        ("items", "expected"),
        [
            ([{"x": 2}, "three"], "a:\n  # About two.\n  - x: 2\n\n  - three\n"),
            ([{"x": 1}, "three"], "a:\n  - x: 1  # one\n\n  - three\n"),
            (
                [{"x": 1}, {"x": 2, "y": [0]}, "three", 4],
                f"{TEXT[:43]}    y:\n      - 0\n\n  - three\n  - 4\n",
            ),
            (
                [{"x": 1}, {"x": 5}, "three"],
                "a:\n  - x: 1  # one\n  # About two.\n  - x: 5\n\n  - three\n",
            ),
            ([], "a: []\n"),
        ],
    )
    def test_items_of_a_block(self, items: list[JsonValue], expected: str) -> None:
        found = written(self.TEXT, changed(document(self.TEXT), "a", items))
        assert found == expected + "b: [p,  q, r] # end\n"

    @pytest.mark.parametrize(
        ("items", "expected"),
        [
            (["q", "r"], "[q, r]"),
            (["p", "r"], "[p, r]"),
            (["p", "q"], "[p,  q]"),
            (["p", "q", "s", "r"], "[p,  q,  s, r]"),
            (["p", {"k": "v, w"}, "r"], '[p,  {k: "v, w"}, r]'),
        ],
    )
    def test_items_on_one_line(self, items: list[JsonValue], expected: str) -> None:
        found = written(self.TEXT, changed(document(self.TEXT), "b", items))
        assert found == self.TEXT.replace("[p,  q, r]", expected)


class TestWholeTexts:
    def test_json_stays_json(self) -> None:
        wanted = {"a": "\x85é", "b": {"c": [1, 2, None], "d": "x", "f": {"g": True}}, "e": ["q"]}
        found = written(JSON, wanted)  # pyright: ignore[reportArgumentType]
        assert json.loads(found) == wanted
        assert found.startswith(
            '{\n  "a": "\\u0085é",\n  "b": {"c": [1, 2, null], "d": "x", "f": {'
        )

    def test_ends_of_lines_stay(self) -> None:
        text = COMMENTED.replace("\n", "\r\n")
        found = written(text, changed(document(text), "spec.nodes.fourth", {"kind": "a.b"}))
        assert found.count("\n") == found.count("\r\n") == text.count("\n") + 2

    def test_an_alias_is_written_out_where_its_anchor_changes(self) -> None:
        text = "a: &x {k: 1}\n# about b\nb: *x\nc: 1 # one\n"
        found = written(text, {"a": {"k": 2}, "b": {"k": 1}, "c": 1})
        assert found == "a: &x {k: 2}\n# about b\nb:\n  k: 1\nc: 1 # one\n"
        assert written(text, {"a": {"k": 1}, "b": {"k": 1}, "c": 2}) == text.replace("1 #", "2 #")

    def test_a_text_that_cannot_be_read_is_written_anew(self) -> None:
        for text in ("a: [", "", "- a\n", "a: 1\na: 2\n"):
            assert update_yaml(text, {"a": "b"}) == "a: b\n"

    def test_a_number_that_is_not_finite_is_refused(self) -> None:
        for write in (write_yaml, lambda d: update_yaml(SAMPLE, d)):
            with pytest.raises(ValueError, match=r"nan|Out of range"):
                write({"a": float("nan")})

    def test_a_fresh_file(self) -> None:
        fresh = write_yaml(
            {"a": {"b": "one\n  two\n"}, "c": ["{{x}}", "yes", [1, []]], "d": {}, "e": "12"}
        )
        assert fresh == (
            "a:\n  b: |\n    one\n      two\n"
            'c:\n  - "{{x}}"\n  - yes\n  - - 1\n    - []\n'
            'd: {}\ne: "12"\n'
        )


@patiently(200)
@given(OBJECTS)
@example({"<<": "=", "...": "---", "": "\n", "k" * 1_100: ["\r", "\x1f\n", "a\n\n\n", " \n a"]})
@example({"a": [{"k" * 1_100: {"b": ["c\nd"]}}]})
def test_a_written_document_reads_back(wanted: JsonObject) -> None:
    assert document(write_yaml(wanted)) == wanted


@patiently(200)
@given(st.sampled_from(sorted(BASES)), st.data())
def test_any_edit_says_the_document(name: str, data: st.DataObject) -> None:
    text = BASES[name]
    wanted = edited(data, document(text))
    found = written(text, wanted)
    if name == "json":
        assert json.loads(found) == wanted
    # Written anew is the last resort; none of these texts needs it.
    if found != text and wanted and name != "written":
        assert found != write_yaml(wanted)


@patiently(100)
@given(OBJECTS, OBJECTS)
def test_any_document_becomes_any_other(old: JsonObject, new: JsonObject) -> None:
    written(write_yaml(old), new)


LEAVES = [
    (text, path)
    for text in (COMMENTED, ODD, SAMPLE)
    for path in places(document(text))
    if path and not isinstance(_at(document(text), path), dict | list)
]


@patiently(100)
@given(st.sampled_from(LEAVES), st.text("abc '\":-\n", max_size=20))
def test_a_new_text_leaves_what_is_above_it_and_every_comment(
    leaf: tuple[str, tuple[str | int, ...]], new: str
) -> None:
    text, path = leaf
    wanted: Any = document(text)
    _at(wanted, path[:-1])[path[-1]] = new
    before, after = text.splitlines(), written(text, wanted).splitlines()
    line = read_yaml(text).positions["".join(f"/{step}" for step in path)].line
    if path[0] != "h":  # What an alias stands for has its place elsewhere.
        assert after[: line - 1] == before[: line - 1]
    assert _comments(after) == _comments(before)


def _comments(rows: Sequence[str]) -> list[str]:
    return [row[row.index("#") :] for row in rows if "#" in row]


def edited(data: st.DataObject, given: JsonObject) -> JsonObject:
    """The document with one to three places dropped, set, filled or put in another order."""
    wanted: Any = deepcopy(given)
    for _ in range(data.draw(st.integers(1, 3))):
        known = [path for path in places(wanted) if path]
        if not known:
            break
        path = data.draw(st.sampled_from(known))
        parent, key = _at(wanted, path[:-1]), path[-1]
        match data.draw(st.sampled_from(["drop", "set", "add", "turn"])):
            case "drop":
                del parent[key]
            case "set":
                parent[key] = data.draw(VALUES)
            case "add" if isinstance(parent, dict):
                parent[data.draw(st.sampled_from(["new", "a b", "on", "1", ": "]))] = data.draw(
                    VALUES
                )
            case "add":
                parent.insert(key, data.draw(VALUES))
            case _:
                turned = parent[key]
                if isinstance(turned, dict):
                    parent[key] = dict(reversed(turned.items()))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
                elif isinstance(turned, list):
                    turned.reverse()
    return wanted
