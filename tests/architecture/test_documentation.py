"""What the documents show works: their agents pass the check, their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from agentflow_dagster.cli.main import agentflow
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.operations.check import check_file

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
AGENTS = [
    pytest.param(found[1], id=f"{page.stem}-{number}")
    for page in PAGES
    for number, found in enumerate(
        re.finditer(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    )
    # The agent of "Add a node kind" needs the kind that its reader makes.
    if found[1].startswith("apiVersion:") and page.stem != "add-a-node-kind"
]


@pytest.mark.parametrize("text", AGENTS)
def test_an_agent_in_a_page_passes_the_check(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTFLOW_DATA", str(ROOT / "notebooks" / "data"))
    (tmp_path / "definitions.py").touch()
    file = tmp_path / "shown.agent.yaml"
    file.write_text(text)
    found = check_file(file, all_kinds()).diagnostics
    assert [str(d) for d in found] == []


def test_pages_show_agents() -> None:
    assert len(AGENTS) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    local = [t for t in targets if not re.match(r"[a-z]+:", t)]
    assert [t for t in local if not (page.parent / t).exists()] == []


def test_every_command_is_described() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    described = re.findall(r"^## ([a-z-]+)", text, re.MULTILINE)
    assert sorted(described) == sorted(agentflow.list_commands(click.Context(agentflow)))
