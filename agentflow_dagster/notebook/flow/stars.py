"""Which names `from module import *` makes, found without running the module."""

from __future__ import annotations

import ast
import sys
from functools import lru_cache
from importlib.machinery import BuiltinImporter, ExtensionFileLoader, PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agentflow_dagster.notebook.dataflow import analyse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.machinery import ModuleSpec

_BYTES = 2_000_000


@lru_cache(maxsize=200)
def public_names(module: str) -> tuple[str, ...] | None:
    """Finds the names, in the order of the alphabet; None where the module cannot be found.

    A module that is loaded tells them itself. Of the standard library's those that are written in C
    are loaded; they do nothing but define. Any other is found as a file, and its text is read.
    """
    if not module or module.startswith("."):
        return None
    loaded = sys.modules.get(module)
    spec = None if loaded is not None else _spec(module)
    if spec is not None and isinstance(spec.loader, ExtensionFileLoader | type(BuiltinImporter)):
        if module.partition(".")[0] not in sys.stdlib_module_names:
            return None
        loaded = __import__(module)
    if loaded is not None:
        listed = cast("Iterable[object] | None", getattr(loaded, "__all__", None))
        names = _public(vars(loaded)) if listed is None else map(str, listed)
        return tuple(sorted(names))
    return _of_text(spec) if spec is not None else None


def _spec(module: str) -> ModuleSpec | None:
    """Where a module is. `importlib.util.find_spec` would run the packages that it stands in."""
    if module in sys.builtin_module_names:
        return BuiltinImporter.find_spec(module)
    path: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return spec


def _of_text(spec: ModuleSpec) -> tuple[str, ...] | None:
    if spec.origin is None or not spec.origin.endswith(".py"):
        return None
    file = Path(spec.origin)
    try:
        if file.stat().st_size > _BYTES:
            return None
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text)
        names: set[str] = set(_listed(tree) or _public(analyse(text).defines))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    return tuple(sorted(names))


def _listed(tree: ast.Module) -> list[str]:
    """What the module writes out as its `__all__`."""
    found: list[str] = []
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                | ast.AugAssign(target=ast.Name(id="__all__"), value=value)
                | ast.AnnAssign(target=ast.Name(id="__all__"), value=value)
            ) if isinstance(value, ast.List | ast.Tuple):
                found += [
                    part.value
                    for part in value.elts
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                ]
            case _:
                pass
    return found


def _public(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith("_")]
