"""Public signatures say what they take and give: none of them says Any."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.architecture.tracked import ROOT, tracked_files

if TYPE_CHECKING:
    from collections.abc import Iterator


def public_functions(
    tree: ast.Module | ast.ClassDef,
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions and methods that others may call; what stands inside a function is its own."""
    for statement in tree.body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not statement.name.startswith("_"):
                yield statement
            case ast.ClassDef() if not statement.name.startswith("_"):
                yield from public_functions(statement)
            case _:
                pass


def says_any(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = function.args
    annotations = [
        argument.annotation
        for argument in (
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            *filter(None, (arguments.vararg, arguments.kwarg)),
        )
    ]
    names = (
        node.id
        for annotation in (*annotations, function.returns)
        if annotation
        for node in ast.walk(annotation)
        if isinstance(node, ast.Name)
    )
    return "Any" in names


def test_no_public_signature_says_any() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in tracked_files("agentflow_dagster/*.py", "resources/*.py")
        if not path.stem.startswith("_") or path.stem == "__init__"
        for function in public_functions(ast.parse(path.read_text()))
        if says_any(function)
    ]
    assert not found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(x: Any) -> None: ...", True),
        ("def f(x: int) -> dict[str, Any]: ...", True),
        ("class A:\n async def f(self, **options: Any) -> None: ...", True),
        ("def _f(x: Any) -> None: ...", False),
        ("class _A:\n def f(self, x: Any) -> None: ...", False),
        ("def f(x: object) -> None:\n def g(y: Any) -> None: ...", False),
    ],
)
def test_the_rule_bites(source: str, *, expected: bool) -> None:
    assert any(says_any(function) for function in public_functions(ast.parse(source))) is expected
