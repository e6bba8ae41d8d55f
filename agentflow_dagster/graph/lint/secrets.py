"""Secrets that go where somebody else may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentflow_dagster.spec.diagnostics import pointer, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.graph.lint.subject import Path, Subject
    from agentflow_dagster.spec.diagnostics import Diagnostic

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def secrets_shown_to_a_model(given: Subject) -> Iterator[Diagnostic]:
    """AF707: a secret in a prompt goes to the model's provider, and may come back in its answer."""
    for read in given.reads_of("secret"):
        node = read.node
        if node is None or read.place == (*node.path, "when"):
            continue
        if "llm" in node.kind.uses:
            yield warning(
                "AF707",
                f"{node.name!r} tells a secret to the model.",
                pointer=pointer(*read.place),
                hint="Use the secret in a tool node, and give the model its result.",
            )


def secrets_over_plain_http(given: Subject) -> Iterator[Diagnostic]:
    """AF708: a secret in a call that is not encrypted."""
    told: set[Path] = set()
    for read in given.reads_of("secret"):
        node = read.node
        url = node.node.with_.get("url") if node else None
        if node is None or node.path in told or not isinstance(url, str) or not _is_plain(url):
            continue
        told.add(node.path)
        yield warning(
            "AF708",
            f"{node.name!r} sends a secret without encryption.",
            pointer=pointer(*node.path, "with", "url"),
            hint="Call it by https.",
        )


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname not in _LOCAL
    except ValueError:
        return False
