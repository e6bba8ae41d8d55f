"""Loads jsonschema without its grammar of internationalized addresses.

jsonschema builds that grammar when it is imported, wherever `rfc3987-syntax` is installed, which
JupyterLab brings along. It takes 1.3 s, in every command and every run's process, for the formats
`iri` and `iri-reference` alone, which nobody here asks for.
"""

from __future__ import annotations

import sys
from typing import cast

_GRAMMAR = "rfc3987_syntax"


def load_jsonschema() -> None:
    """Imports jsonschema, unless that was done; call it before `from jsonschema import …`."""
    if "jsonschema" in sys.modules or _GRAMMAR in sys.modules:
        return
    modules = cast("dict[str, object]", sys.modules)
    modules[_GRAMMAR] = None  # an import of it fails, as it does where it is not installed
    try:
        import jsonschema  # noqa: F401  # pyright: ignore[reportUnusedImport] - it is loaded now
    finally:
        del modules[_GRAMMAR]
