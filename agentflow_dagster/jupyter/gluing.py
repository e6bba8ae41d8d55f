"""`glue`: a notebook's own way to say what it gives."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from agentflow_dagster.spec.values import JsonObject

MAX_BYTES = 64 * 1024**2
"""Most that one value may take, encoded."""


def glue(name: str, value: object) -> None:
    """Shows a value, and keeps it in the cell's output under a name.

    Where the notebook runs as a node (`code.notebook`) the value is a field of the node's output.
    Under Jupyter or stock papermill it is shown and stands in the saved notebook; a plain program
    prints it.

    Args:
        name: Of letters, digits and `_`, not beginning with a digit; given twice, the last counts.
        value: What JSON can hold, a table, an array, bytes, or a value of a registered type.

    Raises:
        UsageError: the name is none, or the value takes more than 64 MiB.
        ValueNotStorable: it is none of these; the error says what in it is not.
    """
    from agentflow_dagster.errors import UsageError

    if not (name.isidentifier() and name.isascii()):
        raise UsageError(
            f"glue: {name!r} is no name.", hint="Use letters, digits and _, as for a variable."
        )
    glued = _encoded(name, value)
    if (shell := _shell()) is None:
        sys.stdout.write(f"{value!r}\n")
        return
    _publish(glued, shown=cast("Any", shell).display_formatter.format(value)[0])


def leave(names: Sequence[str], namespace: Mapping[str, object]) -> None:
    """Glues variables that a notebook leaves, without showing them; those that it does not are
    passed over."""
    for name in names:
        if name in namespace:
            _publish(_encoded(name, namespace[name]), shown={})


def _encoded(name: str, value: object) -> JsonObject:
    from agentflow_dagster.errors import UsageError, ValueNotStorable
    from agentflow_dagster.spec.glued import to_output
    from agentflow_dagster.spec.values import pack, preview, split

    try:
        packed = pack(value)
    except ValueNotStorable as problem:
        where = f"{name}.{problem.path}" if problem.path else name
        raise ValueNotStorable(where, problem.type_name, hint=problem.hint) from None
    parts = split(packed)[1].values()
    size = sum(len(part.data) for part in parts) + len(preview(packed, limit=MAX_BYTES))
    if size > MAX_BYTES:
        raise UsageError(
            f"{name!r} takes {size / 1024**2:,.0f} MiB; glue takes {MAX_BYTES // 1024**2}.",
            hint="Write it to a file, and glue the file's path.",
        )
    return to_output(name, packed)


def _shell() -> InteractiveShell | None:
    """The notebook's shell; None in a plain program."""
    if "IPython" not in sys.modules:
        return None
    from IPython.core.interactiveshell import InteractiveShell

    known = cast("Any", InteractiveShell)
    return known.instance() if known.initialized() else None


def _publish(glued: JsonObject, *, shown: Mapping[str, object]) -> None:
    from IPython import display

    from agentflow_dagster.spec.glued import GLUE

    metadata = {"agentflow": {"glue": glued["name"]}}
    cast("Any", display).display({**shown, GLUE: glued}, metadata=metadata, raw=True)
