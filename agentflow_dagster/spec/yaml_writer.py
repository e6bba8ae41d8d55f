"""The YAML view written back: a text that says a document, with all of its author's that can stay.

`read_yaml(update_yaml(text, document)).document == document`, and what did not change keeps its
bytes. Edits go by the places of nodes in the text (`yaml_edit`), not through ruamel's round-trip
mode: that one lays out the whole file anew, and hangs a comment on the field above it, so that it
leaves with the wrong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentflow_dagster.spec.canonical import is_same
from agentflow_dagster.spec.yaml_edit import edited
from agentflow_dagster.spec.yaml_reader import read_yaml
from agentflow_dagster.spec.yaml_text import write_yaml

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import JsonObject

__all__ = ["update_yaml", "write_yaml"]


def update_yaml(text: str, document: JsonObject) -> str:
    """Edits a text so that it says `document`.

    What did not change keeps its comments, order, quotes and spacing; new fields come last, in
    their order in the document; what is gone takes its comments along. Inside a node's `with` the
    order of keys counts, and follows the document. A text that cannot be read is written anew.

    Raises:
        ValueError: the document holds a number that is not finite.
    """
    source = read_yaml(text)
    if source.document is None or source.diagnostics:
        return write_yaml(document)
    if is_same(source.document, document):
        return text
    if "\r\n" in text and text.count("\n") == text.count("\r\n"):
        return update_yaml(text.replace("\r\n", "\n"), document).replace("\n", "\r\n")
    # An anchor's value that changed changes its aliases: then they are written out.
    for aliases_out in (False, True):
        result = edited(text, document, aliases_out=aliases_out)
        if _says(result, document):
            return result
    return write_yaml(document)


def _says(text: str, document: JsonObject) -> bool:
    source = read_yaml(text)
    if source.document is None or source.diagnostics:
        return False
    return is_same(source.document, document)
