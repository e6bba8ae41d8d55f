"""The diagnostics that notebooks can have, AF601 to AF699, and how one is placed in its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agentflow_dagster.spec.diagnostics import Diagnostic, Position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.notebook.cells import NotebookCell

CODES: Final[Mapping[str, str]] = {
    "AF601": "The file is not a Jupyter notebook of format 4.",
    "AF602": "The file is too large.",
    "AF603": "A `%%node` line cannot be understood.",
    "AF604": "Two cells have the same node name.",
    "AF605": "A cell that ships uses notebook magics; what ships is plain Python.",
    "AF606": "A cell that ships is not Python.",
    "AF607": "A cell that ships awaits at its top level.",
    "AF608": "The parameters cell holds something other than `name: type = literal`.",
    "AF609": "A parameter's default is not a literal that JSON can hold.",
    "AF610": "A parameter's type is unknown, or its default does not fit it.",
    "AF611": "More than one cell is tagged `parameters`.",
    "AF612": "A cell reads a name that no cell makes.",
    "AF613": "A cell that ships reads a name that only a cell makes which does not ship.",
    "AF614": "A name is made by several cells, and another reads it.",
    "AF615": "A node reads a function, class or import of another node.",
    "AF616": "A node changes a value in place that another cell made.",
    "AF617": "`import *`: which names it makes cannot be known.",
    "AF618": "exec, eval, globals or locals: names used that way are not seen (warning).",
    "AF619": "A setup cell reads what a node makes.",
    "AF620": "A name cannot be referred to in the document.",
    "AF621": "A name that exists in notebooks only.",
    "AF622": "A name is made on some paths only, and another cell makes it too.",
    "AF623": "A cell that does not ship changes what a node reads (warning).",
    "AF624": "The notebook has no node.",
    "AF625": "The notebook's `agentflow` metadata cannot be used.",
    "AF626": "A cell has more than one role.",
    "AF627": "The config of a node's cell cannot be told from its prompt.",
    "AF628": "An agent cannot be written as a notebook.",
    "AF629": "A node took a value from another cell than it will in the agent (warning).",
    "AF630": "A cell changed in place what another made, and its text hides it (warning).",
    "AF635": "A node passes on what no other node can be given.",
    "AF636": "A line of a test cell has no form as a test of the agent (warning).",
    "AF637": "Two tests have the same name (warning).",
}
"""What each code stands for; tests hold that each can happen and that no other does."""

WARNINGS = frozenset({"AF618", "AF623", "AF629", "AF630", "AF636", "AF637"})


def problem(
    code: str,
    message: str,
    *,
    cell: NotebookCell | None = None,
    position: Position | None = None,
    hint: str = "",
    only_warn: bool = False,
) -> Diagnostic:
    """A diagnostic at a place in a cell's source.

    Args:
        code: One of `CODES`.
        message: What is wrong.
        cell: Where; none stands for the notebook as a whole.
        position: The place in the cell's source; its first line where none is given.
        hint: What to do about it.
        only_warn: For a code that is an error elsewhere.
    """
    severity = "warning" if only_warn or code in WARNINGS else "error"
    found = Diagnostic(code, severity, message, hint)
    return found if cell is None else found.at("", cell.place(position or Position(1)))
