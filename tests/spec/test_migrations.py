"""Documents of every release still read, and mean what they meant: a frozen corpus.

`tests/spec/corpus/` is added to and never changed. `hashes.json` holds the hash that each document
had when it was frozen: another hash would make every deployed version of it look changed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.spec.canonical import canonical_json, content_hash
from agentflow_dagster.spec.forms import read_text
from agentflow_dagster.spec.migrations import MIGRATIONS, Migration, migrated
from agentflow_dagster.spec.parse import parse_agent

if TYPE_CHECKING:
    from agentflow_dagster.spec.document import Agent
    from agentflow_dagster.spec.values import JsonObject

CORPUS = Path(__file__).parent / "corpus"
HASHES: dict[str, str] = json.loads((CORPUS / "hashes.json").read_text())
FILES = sorted(CORPUS.glob("*.yaml"))


def read(path: Path) -> Agent:
    source = read_text(path.read_text(encoding="utf-8"))
    assert source.diagnostics == ()
    assert source.document is not None
    parsed = parse_agent(source.document)
    assert not isinstance(parsed, tuple), parsed
    return parsed


def test_every_document_of_the_corpus_has_a_hash() -> None:
    assert HASHES.keys() == {path.name for path in FILES}
    assert len(FILES) >= 4


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_reads_and_means_what_it_meant(path: Path) -> None:
    assert content_hash(read(path)) == HASHES[path.name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_migrated_form_is_stable(path: Path) -> None:
    written = read_text(path.read_text(encoding="utf-8")).written
    assert written is not None
    once = migrated(written)
    assert canonical_json(migrated(once)) == canonical_json(once)


def test_no_step_leads_back() -> None:
    for start in MIGRATIONS:
        seen, version = {start}, MIGRATIONS[start].to
        while version in MIGRATIONS:
            assert version not in seen
            seen.add(version)
            version = MIGRATIONS[version].to


def test_steps_are_taken_one_after_another() -> None:
    def renamed(document: JsonObject) -> JsonObject:
        return {("spec" if key == "body" else key): value for key, value in document.items()}

    def counted(document: JsonObject) -> JsonObject:
        return {**document, "count": 1}

    steps = {"x/v1": Migration("x/v2", renamed), "x/v2": Migration("x/v3", counted)}
    assert migrated({"apiVersion": "x/v1", "body": {}}, steps) == {
        "apiVersion": "x/v3",
        "spec": {},
        "count": 1,
    }
    assert migrated({"apiVersion": "x/v3", "body": {}}, steps) == {"apiVersion": "x/v3", "body": {}}
    assert migrated({"apiVersion": 3}, steps) == {"apiVersion": 3}
