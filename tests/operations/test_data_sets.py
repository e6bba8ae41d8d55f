"""The data sets of tests: rows below the data folder, and nothing else."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import UsageError
from agentflow_dagster.nodes import builtin_kinds
from agentflow_dagster.operations import data_sets
from agentflow_dagster.operations.check import check_file
from agentflow_dagster.operations.data_sets import picked_rows, read_rows
from agentflow_dagster.spec.tests import Cases
from tests.support.documents import minimal

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.spec.values import JsonObject

ROWS: list[JsonObject] = [{"n": 1, "t": "a"}, {"n": 2, "t": "b"}, {"n": 3, "t": "c"}]


@pytest.mark.parametrize(
    ("name", "text", "number"),
    [
        ("a.jsonl", '{"n": 1, "t": "a"}\n\n{"n": 2, "t": "b"}\n{"n": 3, "t": "c"}\n', 1),
        ("a.json", '[{"n": 1, "t": "a"}, {"n": 2, "t": "b"}, {"n": 3, "t": "c"}]', 1),
        ("a.csv", "n,t\n1,a\n2,b\n3,c\n", "1"),
        ("a.tsv", "n\tt\n1\ta\n2\tb\n3\tc\n", "1"),
    ],
)
def test_rows(tmp_path: Path, name: str, text: str, number: object) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / name).write_text(text)
    rows = read_rows(tmp_path, f"sub/{name}")
    assert [row["t"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["n"] == number


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.jsonl").write_text("{}\n")
    (tmp_path / "data" / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    for file in ("../secret.jsonl", str(tmp_path / "secret.jsonl"), "link.jsonl"):
        with pytest.raises(UsageError, match="outside of the data folder"):
            read_rows(tmp_path / "data", file)


def test_what_is_no_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "bad.jsonl").write_text("{")
    for file, said in (
        ("pipe.jsonl", "no file"),
        ("folder.csv", "no file"),
        ("nowhere.csv", "No such file"),
        ("a.txt", r"not of '\.txt'"),
        ("bad.jsonl", "Not JSON"),
    ):
        with pytest.raises(UsageError, match=said):
            read_rows(tmp_path, file)
    with pytest.raises(UsageError, match="no data folder"):
        read_rows(None, "a.csv")
    monkeypatch.setattr(data_sets, "MAX_BYTES", 0)
    with pytest.raises(UsageError, match="over 0 MB"):
        read_rows(tmp_path, "bad.jsonl")


def test_rows_are_picked() -> None:
    def picked(**fields: object) -> list[object]:
        cases = Cases.model_validate({"file": "a.csv", **fields})
        return [row["n"] for row in picked_rows(ROWS, cases)]

    assert picked() == [1, 2, 3]
    assert picked(limit=2) == [1, 2]
    assert picked(where="{{case.n > 1}}") == [2, 3]
    assert picked(where="{{case.n > 1}}", limit=1) == [2]
    with pytest.raises(UsageError, match="'a' of row 1, neither true nor false"):
        picked(where="{{case.t}}")
    with pytest.raises(UsageError, match="cannot be asked of row 1"):
        picked(where="{{case.nothing == 1}}")


def checked(root: Path, field: str) -> list[str]:
    """The codes of a file whose test reads a field of its data set."""
    nodes: JsonObject = {"ask": {"kind": "ai.chat", "with": {"prompt": "{{input.body}}"}}}
    test: JsonObject = {
        "input": {"body": f"{{{{case.{field}}}}}"},
        "cases": {"file": "a.jsonl"},
        "expect": [{"status": "SUCCESS"}],
    }
    inputs: JsonObject = {"properties": {"body": {"type": "string"}}}
    document = minimal(nodes, inputs=inputs, tests={"one": test})
    path = root / "a.agent.json"
    path.write_text(json.dumps(document))
    return [d.code for d in check_file(path, builtin_kinds()).diagnostics]


def test_checks_know_the_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTFLOW_DATA", raising=False)
    (tmp_path / "definitions.py").touch()
    assert checked(tmp_path, "t") == ["AF859"]
    data = tmp_path / "notebooks" / "data"
    data.mkdir(parents=True)
    (data / "a.jsonl").write_text('{"t": "a", "n": 1, "m": 1}\n{"t": "b", "n": "x", "m": 2}\n')
    assert checked(tmp_path, "t") == []
    assert checked(tmp_path, "n") == []  # A text in one row: judged when it is run.
    assert checked(tmp_path, "m") != []
    assert checked(tmp_path, "x") == ["AF203"]
    monkeypatch.setattr(data_sets, "MAX_LOOKED_INTO", 10)
    assert checked(tmp_path, "x") == []
