"""The special methods that operators call, those of the left side and those of the right."""

from __future__ import annotations

import ast
from typing import Final

_WORDS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.LShift: "lshift",
    ast.MatMult: "matmul",
    ast.Mod: "mod",
    ast.Mult: "mul",
    ast.Pow: "pow",
    ast.RShift: "rshift",
    ast.Sub: "sub",
}

BINARY: Final = {kind: (f"__{word}__", f"__r{word}__") for kind, word in _WORDS.items()}
IN_PLACE: Final = {kind: (f"__i{word}__", *BINARY[kind]) for kind, word in _WORDS.items()}
ORDER: Final = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__")
