"""Whether someone looks at what a cell shows, who could also answer."""

from __future__ import annotations

from typing import Any, cast


def has_front_end() -> bool:
    """Whether the cell at work was run by a front end that a person sits at.

    False in a terminal and a script, and under nbclient, nbconvert and papermill, which say that
    they cannot be asked for input: a widget that they kept would be drawn by nobody.
    """
    from IPython.core.getipython import get_ipython

    kernel = getattr(cast("Any", get_ipython()), "kernel", None)
    if kernel is None:
        return False
    request = cast("dict[str, Any]", kernel.get_parent("shell") or {})
    return bool(request.get("content", {}).get("allow_stdin", True))
