"""Secrets that go where somebody else may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentflow_dagster.spec.diagnostics import pointer, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentflow_dagster.graph.lint.subject import Subject
    from agentflow_dagster.spec.diagnostics import Diagnostic

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def secrets_shown_to_a_model(given: Subject) -> Iterator[Diagnostic]:
    """AF707: a secret in a prompt goes to the model's provider, and may come back in its answer."""
    for read in given.reads_of("secret"):
        match read.place:
            case ("spec", "nodes", str(name), "with", *_):
                if "llm" in given.kinds[given.agent.spec.nodes[name].kind].uses:
                    yield warning(
                        "AF707",
                        f"{name!r} tells a secret to the model.",
                        pointer=pointer(*read.place),
                        hint="Use the secret in a tool node, and give the model its result.",
                    )
            case _:
                continue


def secrets_over_plain_http(given: Subject) -> Iterator[Diagnostic]:
    """AF708: a secret in a call that is not encrypted."""
    told: set[str] = set()
    for read in given.reads_of("secret"):
        name = str(read.place[2])
        url = given.agent.spec.nodes[name].with_.get("url")
        if name in told or not isinstance(url, str) or not _is_plain(url):
            continue
        told.add(name)
        yield warning(
            "AF708",
            f"{name!r} sends a secret without encryption.",
            pointer=pointer("spec", "nodes", name, "with", "url"),
            hint="Call it by https.",
        )


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname not in _LOCAL
    except ValueError:
        return False
